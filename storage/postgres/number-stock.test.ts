import t from 'tap'
import { drawnAtOnce, NumberStock } from './number-stock.ts'

t.test('numbers are given out once each, in order, and drawn ahead of their use', async (t) => {
  let next = 1
  let drawings = 0
  const stock = new NumberStock(async (count) => {
    drawings += 1
    return Array.from({ length: count }, () => next++)
  })
  const taken = await Promise.all(Array.from({ length: 5 * drawnAtOnce }, () => stock.take()))
  t.same(taken, Array.from({ length: 5 * drawnAtOnce }, (_, n) => n + 1))
  t.ok(drawings >= 5 && drawings <= 6, `${drawings} drawings`)
})

t.test('whoever waits hears of a failure, and the next one draws again', async (t) => {
  let fails = true
  const stock = new NumberStock(() => (fails ? Promise.reject(new Error('away')) : Promise.resolve([7])))
  const both = await Promise.allSettled([stock.take(), stock.take()])
  t.same(both.map(({ status }) => status), ['rejected', 'rejected'])
  fails = false
  t.equal(await stock.take(), 7)
})
