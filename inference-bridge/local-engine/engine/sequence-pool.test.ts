import fc from 'fast-check'
import t from 'tap'
import type { Sequence } from './model-runtime.ts'
import { PoolFullError, SequencePool } from './sequence-pool.ts'

function sequence(cachedIds: readonly number[] = []): Sequence {
  return {
    cachedIds,
    async *generate() {
      yield await Promise.resolve(0)
    },
  }
}

const never = new AbortController().signal
const range = (length: number, first = 0) => Array.from({ length }, (_, index) => first + index)

t.test('gives the sequence that holds most of the prompt, else the one unused for longest', async (t) => {
  const [greeting, conversation, other] = [sequence(range(20)), sequence(range(200)), sequence(range(200, 1000))]
  const pool = new SequencePool([greeting, conversation, other], 0)
  t.equal(await pool.acquire(range(300), never), conversation)
  pool.release(conversation)
  // A beginning that every chat shares does not take the state of a conversation away.
  t.equal(await pool.acquire([...range(30), -1, -2], never), greeting)
  t.equal(await pool.acquire([-1], never), other)
})

t.test('who waits is served in the order of arrival, and an abandoned place is left out', async (t) => {
  const only = sequence()
  const pool = new SequencePool([only], 3)
  await pool.acquire([], never)
  const order: string[] = []
  const impatient = new AbortController()
  const first = pool.acquire([], never).then(() => order.push('first'))
  const second = pool.acquire([], impatient.signal)
  const third = pool.acquire([], never).then(() => order.push('third'))
  t.equal(pool.waiting, 3)
  t.throws(() => pool.acquire([], never), PoolFullError)
  impatient.abort(new Error('gone'))
  await t.rejects(second, { message: 'gone' })
  t.equal(pool.waiting, 2)
  pool.release(only)
  await first
  pool.release(only)
  await third
  t.same(order, ['first', 'third'])
  t.throws(() => pool.acquire([], impatient.signal), { message: 'gone' })
})

t.test('those who wait can be sent away; those who run are not touched', async (t) => {
  const only = sequence()
  const pool = new SequencePool([only], 2)
  await pool.acquire([], never)
  const waiting = [pool.acquire([], never), pool.acquire([], never)]
  pool.rejectWaiting(new Error('closing'))
  for (const place of waiting) await t.rejects(place, { message: 'closing' })
  t.match({ running: pool.running.length, waiting: pool.waiting }, { running: 1, waiting: 0 })
  pool.release(only)
  t.equal(pool.running.length, 0)
})

t.test('whatever happens, no sequence is lost or given out twice', async (t) => {
  const action = fc.constantFrom('acquire', 'release', 'abort', 'release', 'acquire')
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 1, max: 3 }), fc.array(action, { maxLength: 40 }), async (size, actions) => {
      const pool = new SequencePool(range(size).map(() => sequence()), 4)
      const held: Sequence[] = []
      const pending = new Set<AbortController>()
      for (const what of actions) {
        if (what === 'acquire') {
          const controller = new AbortController()
          try {
            pool.acquire([], controller.signal).then(
              (got) => {
                pending.delete(controller)
                t.notOk(held.includes(got), 'given out twice')
                held.push(got)
              },
              () => pending.delete(controller),
            )
            pending.add(controller)
          } catch (error) {
            t.ok(error instanceof PoolFullError && pool.waiting === 4)
          }
        } else if (what === 'abort') {
          const [first] = pending
          first?.abort(new Error('gone'))
        } else {
          const got = held.shift()
          if (got !== undefined) pool.release(got)
        }
        await new Promise(setImmediate)
        t.equal(pool.running.length, held.length)
        t.ok(pool.waiting === 0 || held.length === size, 'nobody waits while a sequence is free')
      }
    }),
    { numRuns: 50 },
  )
})
