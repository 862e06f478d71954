import fc from 'fast-check'
import t from 'tap'
import { leastReplicas, solveQueue, type QueueFigures } from './queue-model.ts'
import { simulate } from './simulation.ts'
import { TimeHeap } from './time-heap.ts'
import { slotsOf, type Gpu, type Workload } from './workload.ts'

const gpu: Gpu = { tokensPerS: 900, streamTokensPerS: 60, streams: 64, kvTokens: 33_000, prefillS: 0.15, dollarsPerHour: 0.8 }
const workload: Workload = { users: 10_000, thinkS: 60, promptTokens: 600, replyTokens: 200 }

const aim = { waitS: 0.5, utilization: 0.8 }

function near(found: number, expected: number, share: number): boolean {
  return Math.abs(found - expected) <= share * expected
}

t.test('a replica holds no more contexts than its KV cache does', async (t) => {
  t.equal(slotsOf(gpu, workload), 41)
  t.equal(slotsOf({ ...gpu, kvTokens: 1e6 }, workload), 64)
  t.equal(slotsOf({ ...gpu, kvTokens: 100 }, workload), 1)
})

t.test('the model agrees with what is known of queues: with one user nobody waits, and with one slot it is the M/M/1//N queue', async (t) => {
  const alone = solveQueue({ ...workload, users: 1 }, gpu, 1)
  t.ok(near(alone.turnsPerS, 1 / (60 + 0.15 + 200 / 60), 1e-9))
  t.equal(alone.wait.meanS, 0)

  const oneSlot: Gpu = { ...gpu, streams: 1, tokensPerS: 60, prefillS: 0 }
  const serviceS = 200 / 60
  const users = 30
  // Erlang's loss formula with the roles changed: the share of time in which the server idles.
  const load = 60 / serviceS
  let idle = 1
  for (let n = 1; n <= users; n += 1) idle = (load * idle) / (n + load * idle)
  t.ok(near(solveQueue({ ...workload, users }, oneSlot, 1).turnsPerS, (1 - idle) / serviceS, 1e-9))
})

t.test('more replicas never make anybody wait longer, and the fewest that suffice are found', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 3_000 }), fc.integer({ min: 1, max: 200 }), fc.integer({ min: 5, max: 400 }), (users, thinkS, replyTokens) => {
      const asked = { ...workload, users, thinkS, replyTokens }
      const found = leastReplicas(asked, gpu, aim)
      const reaches = ({ wait, utilization }: QueueFigures): boolean => wait.p95S <= aim.waitS && utilization <= aim.utilization
      return reaches(found) && (found.replicas === 1 || !reaches(solveQueue(asked, gpu, found.replicas - 1)))
    }),
    { numRuns: 40 },
  )
})

t.test('the times that were pushed come out in order', async () => {
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true, min: 0 })), (times) => {
      const heap = new TimeHeap(times.length)
      for (const [value, time] of times.entries()) heap.push(time, value)
      const popped: number[] = []
      while (heap.size > 0) popped.push(times[heap.pop()] as number)
      return popped.every((time, n) => n === 0 || (popped[n - 1] as number) <= time) && popped.length === times.length
    }),
  )
})

t.test('a million people, played through turn by turn with times as people have them, find what the model says', async (t) => {
  const million = { ...workload, users: 1_000_000 }
  const planned = leastReplicas(million, gpu, aim)
  const played = simulate(million, gpu, { replicas: planned.replicas, seed: 7, warmUpS: 300, measuredS: 60 })
  t.ok(played.turns > 500_000, `${played.turns} turns`)
  t.ok(near(played.turnsPerS, planned.turnsPerS, 0.02), `${played.turnsPerS} and ${planned.turnsPerS} turns a second`)
  t.ok(near(played.streaming, planned.streaming, 0.04), `${played.streaming} and ${planned.streaming} replies under way`)
  t.ok(played.wait.p95S <= aim.waitS, `95 of 100 wait ${played.wait.p95S} s at most`)
})

t.test('with half of the replicas that it takes, model and simulation find the same queue', async (t) => {
  const { replicas } = leastReplicas(workload, gpu, aim)
  const half = Math.ceil(replicas / 2)
  const planned = solveQueue(workload, gpu, half)
  const played = simulate(workload, gpu, { replicas: half, seed: 11, warmUpS: 600, measuredS: 600 })
  t.ok(planned.wait.meanS > 10)
  t.ok(near(played.turnsPerS, planned.turnsPerS, 0.03), `${played.turnsPerS} and ${planned.turnsPerS} turns a second`)
  t.ok(near(played.wait.meanS, planned.wait.meanS, 0.08), `${played.wait.meanS} and ${planned.wait.meanS} s`)
})
