import fc from 'fast-check'
import t from 'tap'
import { FlushInterval } from './flush-interval.ts'

function after(flushes: readonly (readonly [lagMs: number, tookMs: number])[]): number {
  const interval = new FlushInterval()
  for (const [lagMs, tookMs] of flushes) interval.flushed(lagMs, tookMs)
  return interval.ms
}

const times = (count: number, flush: readonly [number, number]): (readonly [number, number])[] => Array.from({ length: count }, () => flush)

t.test('the interval is 25 ms while flushes are cheap, up to 40 as they are not, and up to 100 as they are late', async (t) => {
  t.equal(after([]), 25)
  t.equal(after(times(50, [0, 1])), 25)
  t.equal(Math.round(after(times(50, [0, 5]))), 30)
  t.equal(after(times(50, [0, 60])), 40)
  t.equal(Math.round(after(times(50, [10, 1]))), 35)
  t.equal(after(times(50, [500, 1])), 100)
  t.equal(Math.round(after([...times(50, [500, 60]), ...times(50, [0, 1])])), 25, 'and becomes short again')
})

t.test('one long or late flush among others changes little', async (t) => {
  t.ok(after([...times(50, [0, 2]), [0, 12]]) < 30)
  t.ok(after([...times(50, [0, 2]), [20, 2]]) <= 30)
})

t.test('whatever flushes take, the interval stays between 25 and 100 ms', async () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(fc.double({ min: 0, max: 1e6, noNaN: true }), fc.double({ min: 0, max: 1e6, noNaN: true }))), (flushes) => {
      const ms = after(flushes)
      return ms >= 25 && ms <= 100
    }),
  )
})
