import fc from 'fast-check'
import t from 'tap'
import { newTurnId } from '../../protocol/ids.ts'
import { lanes, type Job, type JobQueue, type Lane } from '../../platform/bus/job-queue.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { JobWindow } from './job-window.ts'
import { LaneOrder } from './lane-order.ts'
import { Scheduler, type SchedulerOptions } from './scheduler.ts'

const silent: Logger = { trace: () => undefined, debug: () => undefined, info: () => undefined, warn: () => undefined, error: () => undefined, fatal: () => undefined, child: () => silent }
const retry = { count: 3, baseMs: 2, maxMs: 10 }

function fakeJob(lane: Lane, bucket: number, sequence = 1): Job {
  return { lane, turnId: newTurnId(bucket), conversationId: sequence * 1024 + bucket, sequence, deliveries: 1, waiting: 0, working: () => undefined, ack: () => undefined, nak: () => undefined }
}

t.test('lanes take turns by weight, and the share of one that has nothing goes to the others', async (t) => {
  const order = new LaneOrder()
  const all = Array.from({ length: 130 }, () => order.next(() => true))
  t.same(lanes.map((lane) => all.filter((next) => next === lane).length), [80, 40, 10])
  t.ok(all.slice(0, 13).includes('batch'), 'none starves')
  const two = Array.from({ length: 50 }, () => order.next((lane) => lane !== 'premium'))
  t.equal(two.filter((next) => next === 'standard').length, 40)
  t.equal(order.next(() => false), null)
})

t.test('within a lane the user with the fewest running turns comes first, then the oldest job', async (t) => {
  const window = new JobWindow()
  const [a1, a2, a3, b1, c1] = [fakeJob('standard', 1, 1), fakeJob('standard', 1, 2), fakeJob('standard', 1, 3), fakeJob('standard', 2, 4), fakeJob('standard', 3, 5)]
  for (const job of [a1, a2, a3, b1, c1]) window.add(job)
  t.same([window.take(), window.take(), window.take(), window.take()], [a1, b1, c1, a2])
  window.ended(a1)
  window.ended(a2)
  t.same([window.take(), window.take()], [a3, null])
  t.equal(window.size, 0)
})

t.test('a window loses and doubles no job, whatever is added, taken and ended', async () => {
  const step = fc.oneof(fc.record({ lane: fc.constantFrom(...lanes), bucket: fc.nat(3) }), fc.constant('take' as const), fc.constant('end' as const))
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const window = new JobWindow()
      const inside = new Set<Job>()
      const running: Job[] = []
      for (const [index, next] of steps.entries()) {
        if (next === 'take') {
          const job = window.take()
          if ((job === null) !== (inside.size === 0)) return false
          if (job !== null) {
            if (!inside.delete(job)) return false
            running.push(job)
          }
        } else if (next === 'end') {
          const job = running.shift()
          if (job !== undefined) window.ended(job)
        } else {
          const job = fakeJob(next.lane, next.bucket, index + 1)
          inside.add(job)
          window.add(job)
        }
        if (window.size !== inside.size) return false
      }
      return window.clear().length === inside.size && window.size === 0
    }),
  )
})

interface Bench {
  readonly scheduler: Scheduler
  readonly queue: JobQueue
  readonly begun: Job[]
  readonly finish: Map<Job, () => void>
  until(condition: () => boolean): Promise<void>
  publish(count: number, lane?: Lane, bucket?: number): Promise<void>
}

/** A scheduler whose jobs end when the test says so. */
function bench(slots: number, options: Partial<SchedulerOptions> = {}, ackWaitMs = 6000): Bench {
  const bus = new MemoryBus({ ackWaitMs })
  const queue = bus.jobQueue()
  const begun: Job[] = []
  const finish = new Map<Job, () => void>()
  let sequence = 0
  const scheduler = new Scheduler({
    jobQueue: queue,
    slots,
    fetchWaitMs: 30,
    retry,
    logger: silent,
    work: (job) => {
      begun.push(job)
      return new Promise((resolve) => {
        finish.set(job, () => {
          finish.delete(job)
          job.ack()
          resolve()
        })
      })
    },
    ...options,
  })
  return {
    scheduler,
    queue,
    begun,
    finish,
    until: async (condition) => {
      while (!condition()) await new Promise((resolve) => setTimeout(resolve, 1))
    },
    publish: async (count, lane = 'standard', bucket = 0) => {
      for (let index = 0; index < count; index++) {
        sequence += 1
        await queue.publish({ lane, turnId: newTurnId(bucket), conversationId: sequence * 1024 + bucket })
      }
    },
  }
}

t.test('as many jobs are pulled as there are slots and a window of a quarter; the rest stays in the queue', async (t) => {
  const { scheduler, queue, begun, finish, until, publish } = bench(16)
  await publish(100)
  scheduler.setActive(true)
  await until(() => begun.length === 16 && scheduler.waiting > 0)
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setTimeout(resolve, 1))
  t.equal(begun.length, 16)
  const { waiting } = await queue.depth('standard')
  // A quarter, and the room in which the two empty lanes are waited on.
  t.ok(scheduler.waiting <= 6 && 100 - waiting <= 22, `${100 - waiting} pulled`)
  while (begun.length < 100 || finish.size > 0) {
    for (const end of [...finish.values()]) end()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  t.equal(new Set(begun.map(({ turnId }) => turnId)).size, 100)
  await scheduler.drain()
})

t.test('under a flood of every lane each gets its share, and a premium job never waits behind a full window', async (t) => {
  const { scheduler, begun, finish, until, publish } = bench(4)
  for (const lane of lanes) await publish(120, lane)
  scheduler.setActive(true)
  for (let ended = 0; ended < 130; ended++) {
    await until(() => finish.size === 4)
    finish.values().next().value?.()
  }
  const shares = lanes.map((lane) => begun.filter((job) => job.lane === lane).length)
  t.ok((shares[0] ?? 0) > (shares[1] ?? 0) && (shares[1] ?? 0) > (shares[2] ?? 0) && (shares[2] ?? 0) >= 5, `${shares.join(', ')}`)
  for (const end of finish.values()) end()
  const drained = scheduler.drain()
  for (const end of finish.values()) end()
  await drained
})

t.test('one user with many jobs does not keep others waiting that were pulled with them', async (t) => {
  const { scheduler, begun, finish, until, publish } = bench(8)
  await publish(9, 'standard', 1)
  await publish(1, 'standard', 2)
  scheduler.setActive(true)
  await until(() => begun.length === 8 && scheduler.waiting === 2)
  t.ok(begun.some(({ conversationId }) => conversationId % 1024 === 2), 'although it came last')
  while (begun.length < 10 || finish.size > 0) {
    for (const end of [...finish.values()]) end()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await scheduler.drain()
})

t.test('jobs in hand and in the window are beaten, so that none is delivered twice', async (t) => {
  const { scheduler, begun, finish, until, publish } = bench(2, {}, 300)
  await publish(5)
  scheduler.setActive(true)
  await until(() => begun.length === 2 && scheduler.waiting === 3)
  const since = performance.now()
  await until(() => performance.now() - since > 700)
  t.equal(begun.length, 2)
  while (begun.length < 5 || finish.size > 0) {
    for (const end of [...finish.values()]) end()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  t.ok(begun.every(({ deliveries }) => deliveries === 1))
  await scheduler.drain()
})

t.test('a slot is free once the engine is done, but too many unconfirmed ends stop the pulling', async (t) => {
  const ends: (() => void)[] = []
  const { scheduler, queue, until, publish } = bench(2, {
    work: (job, { generated }) => {
      generated()
      return new Promise((resolve) =>
        ends.push(() => {
          job.ack()
          resolve()
        }),
      )
    },
  })
  await publish(40)
  scheduler.setActive(true)
  await until(() => scheduler.inHand === 8)
  for (let round = 0; round < 20; round++) await new Promise((resolve) => setTimeout(resolve, 1))
  t.equal(scheduler.inHand, 8)
  t.ok((await queue.depth('standard')).waiting >= 40 - 8 - 5)
  while ((await queue.depth('standard')).waiting > 0 || scheduler.inHand > 0) {
    for (const end of ends.splice(0)) end()
    await new Promise((resolve) => setTimeout(resolve, 1))
  }
  await scheduler.drain()
})

t.test('inactive, nothing is pulled and what has not begun goes back; a job whose work throws goes back too', async (t) => {
  let throws = 1
  let end = (): void => undefined
  const worked: Job[] = []
  const { scheduler, queue, until, publish } = bench(1, {
    work: (job) => {
      worked.push(job)
      if (throws-- > 0) return Promise.reject(new Error('a fault'))
      return new Promise((resolve) => (end = resolve))
    },
  })
  await publish(6)
  await new Promise((resolve) => setTimeout(resolve, 1))
  t.equal((await queue.depth('standard')).delivered, 0)
  scheduler.setActive(true)
  await until(() => worked.length === 2 && scheduler.waiting > 0)
  scheduler.setActive(false)
  t.equal(scheduler.waiting, 0)
  t.equal(scheduler.inHand, 1)
  end()
  await scheduler.drain()
  t.equal(scheduler.inHand, 0)
})

t.test('a queue that fails is asked again', async (t) => {
  const { queue } = bench(1)
  let failures = 3
  const failing: JobQueue = {
    ackWaitMs: queue.ackWaitMs,
    publish: (job) => queue.publish(job),
    depth: (lane) => queue.depth(lane),
    close: () => queue.close(),
    fetch: (...given) => (failures-- > 0 ? Promise.reject(new Error('away')) : queue.fetch(...given)),
  }
  const done: Job[] = []
  const scheduler = new Scheduler({ jobQueue: failing, slots: 1, fetchWaitMs: 30, retry, logger: silent, work: async (job) => {
    done.push(job)
    job.ack()
  } })
  await queue.publish({ lane: 'batch', turnId: newTurnId(0), conversationId: 1024 })
  scheduler.setActive(true)
  while (done.length === 0) await new Promise((resolve) => setTimeout(resolve, 1))
  await scheduler.drain()
  t.equal(done.length, 1)
})
