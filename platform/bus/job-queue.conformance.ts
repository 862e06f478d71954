/** What every JobQueue does, as tests: each adapter runs them. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { defaultJobQueueLimits, type Job, type JobPointer, type JobQueue, type JobQueueLimits, type Lane } from './job-queue.ts'

export interface JobQueueWorld {
  /** A new client of this world's bus; closed at the test's end. */
  queue(): Promise<JobQueue>
  /** Takes the bus away from all, and gives it back; each resolves when all clients have noticed. */
  disconnect(): Promise<void>
  reconnect(): Promise<void>
}

/** Longer than any test: nothing is delivered again for silence. */
const never = 600_000
/** Longer than a test waits for what must come. */
const waitMs = 20_000

const pointer = (lane: Lane = 'standard'): JobPointer => ({ lane, turnId: randomUUID(), conversationId: 1024 * Math.ceil(Math.random() * 1_000_000) })
const code = async (promise: Promise<unknown>): Promise<unknown> => promise.then(() => 'resolved', (error: { readonly code?: unknown }) => error.code)

/** As many jobs as given, in as many fetches as it takes. */
async function take(queue: JobQueue, count: number, lane: Lane = 'standard'): Promise<Job[]> {
  const jobs: Job[] = []
  const until = performance.now() + waitMs
  while (jobs.length < count && performance.now() < until) jobs.push(...(await queue.fetch(lane, count - jobs.length, { waitMs })))
  return jobs
}

const takeOne = async (queue: JobQueue): Promise<Job> => (await take(queue, 1))[0] as Job

/** Once the bus has heard that so many jobs of a lane are in hand, and no more. */
export async function settled(queue: JobQueue, inHand = 0, lane: Lane = 'standard'): Promise<void> {
  const until = performance.now() + waitMs
  while ((await queue.depth(lane)).delivered !== inHand && performance.now() < until) await new Promise((resolve) => setTimeout(resolve, 2))
}

/** `open`: a bus of its own, with these limits. */
export async function testJobQueue(t: Test, open: (t: Test, limits: JobQueueLimits) => Promise<JobQueueWorld>): Promise<void> {
  const world = (t: Test, limits: Partial<JobQueueLimits> = {}): Promise<JobQueueWorld> => open(t, { ...defaultJobQueueLimits, ackWaitMs: never, ...limits })

  await t.test('jobs come in the order of their publication, lane by lane, and leave the queue when acked', async (t) => {
    const bus = await world(t)
    const [publisher, worker] = [await bus.queue(), await bus.queue()]
    const pointers = Array.from({ length: 20 }, () => pointer())
    const premium = pointer('premium')
    for (const [index, each] of pointers.entries()) t.strictSame(await publisher.publish(each), { sequence: index + 1, duplicate: false })
    t.strictSame(await publisher.publish(premium), { sequence: 1, duplicate: false })
    const jobs = await take(worker, 20)
    t.match(jobs, pointers.map((each, index) => ({ ...each, sequence: index + 1, deliveries: 1 })))
    t.match(await take(worker, 1, 'premium'), [premium])
    for (const job of jobs) job.ack()
    await settled(publisher)
    t.strictSame(await publisher.depth('standard'), { waiting: 0, delivered: 0, deliveredSequence: 20 })
    t.strictSame(await worker.fetch('standard', 1, { waitMs: 0 }), [])
  })

  await t.test('a job names the edge that it was published with, and none where there was none', async (t) => {
    const bus = await world(t)
    const queue = await bus.queue()
    await queue.publish({ ...pointer(), edge: 'edge-7' })
    await queue.publish(pointer())
    const [named, unnamed] = await take(queue, 2)
    t.equal(named?.edge, 'edge-7')
    t.notOk(unnamed !== undefined && 'edge' in unnamed)
  })

  await t.test('while a turn has a job, publishing it again changes nothing; once that is acked, it is new', async (t) => {
    const bus = await world(t)
    const queue = await bus.queue()
    const job = pointer()
    await queue.publish(pointer())
    t.strictSame(await queue.publish(job), { sequence: 2, duplicate: false })
    t.strictSame(await queue.publish(job), { sequence: 2, duplicate: true })
    t.strictSame(await queue.publish({ ...job, lane: 'batch' }), { sequence: 1, duplicate: false })
    const [, delivered] = await take(queue, 2)
    t.strictSame(await queue.publish(job), { sequence: 2, duplicate: true })
    t.match(await queue.depth('standard'), { waiting: 0, delivered: 2 })
    delivered?.ack()
    await settled(queue, 1)
    t.strictSame(await queue.publish(job), { sequence: 3, duplicate: false })
    t.match(await take(queue, 1), [{ ...job, sequence: 3, deliveries: 1 }])
  })

  await t.test('fetch takes what is there, at most as many as asked for, and waits for the first where nothing is', async (t) => {
    const bus = await world(t)
    const [publisher, worker] = [await bus.queue(), await bus.queue()]
    const waiting = worker.fetch('standard', 10, { waitMs })
    const first = pointer()
    await publisher.publish(first)
    t.match(await waiting, [first])
    const more = Array.from({ length: 50 }, () => pointer())
    for (const each of more) await publisher.publish(each)
    const some = await worker.fetch('standard', 30, { waitMs })
    t.match(some, more.slice(0, 30))
    t.same(some.map(({ waiting }) => waiting), some.map((_, index) => 49 - index), 'each tells how many wait behind it')
    t.match(await worker.fetch('standard', 30, { waitMs }), more.slice(30))
    t.strictSame(await worker.fetch('standard', 1, { waitMs: 30 }), [])
    t.strictSame(await worker.fetch('standard', 0, { waitMs }), [])
  })

  await t.test('a fetch that is given up resolves empty, and takes no job with it', async (t) => {
    const bus = await world(t)
    const [publisher, leaving, staying] = [await bus.queue(), await bus.queue(), await bus.queue()]
    t.strictSame(await leaving.fetch('standard', 1, { waitMs, signal: AbortSignal.abort() }), [])
    for (let round = 0; round < 20; round += 1) {
      const controller = new AbortController()
      const given = leaving.fetch('standard', 5, { waitMs, signal: controller.signal })
      if (round % 2 === 0) await staying.depth('standard')
      const job = pointer()
      const published = publisher.publish(job)
      controller.abort()
      await published
      // The job may have been quicker than the abort; whoever has it, it comes at once.
      const found = [...(await given), ...(await staying.fetch('standard', 1, { waitMs: (await given).length > 0 ? 0 : waitMs }))]
      t.match(found, [job], `round ${round}`)
      found[0]?.ack()
      await settled(publisher)
    }
  })

  await t.test('an unacked job is delivered again after the ack wait, to anyone', async (t) => {
    const bus = await world(t, { ackWaitMs: 200 })
    const [publisher, dying, other] = [await bus.queue(), await bus.queue(), await bus.queue()]
    t.equal(publisher.ackWaitMs, 200)
    const job = pointer()
    await publisher.publish(job)
    t.match(await takeOne(dying), { ...job, deliveries: 1 })
    const again = await takeOne(other)
    t.match(again, { ...job, sequence: 1, deliveries: 2 })
    again.ack()
    await settled(publisher)
    t.match(await publisher.depth('standard'), { waiting: 0, delivered: 0 })
  })

  await t.test('a job that is worked on stays where it is', async (t) => {
    const bus = await world(t, { ackWaitMs: 1_000 })
    const [worker, other] = [await bus.queue(), await bus.queue()]
    await worker.publish(pointer())
    const job = await takeOne(worker)
    const beat = setInterval(() => job.working(), 100)
    t.teardown(() => clearInterval(beat))
    t.strictSame(await other.fetch('standard', 1, { waitMs: 2_000 }), [])
    clearInterval(beat)
    t.match(await takeOne(other), { deliveries: 2 })
  })

  await t.test('a job given back is delivered again, at once or after its delay', async (t) => {
    const bus = await world(t)
    const [queue, other] = [await bus.queue(), await bus.queue()]
    const [first, second] = [pointer(), pointer()]
    await queue.publish(first)
    const delivered = await takeOne(queue)
    delivered.nak(0)
    const again = await takeOne(other)
    t.match(again, { ...first, deliveries: 2 })
    again.nak(150)
    await queue.publish(second)
    const next = await takeOne(other)
    t.match(next, second)
    t.match(await queue.depth('standard'), { waiting: 0, delivered: 2 })
    t.match(await takeOne(queue), { ...first, deliveries: 3 })
  })

  await t.test('an ack counts even when the job has gone to another, and is the last word', async (t) => {
    const bus = await world(t, { ackWaitMs: 150 })
    const [slow, other] = [await bus.queue(), await bus.queue()]
    const job = pointer()
    await slow.publish(job)
    const delivered = await takeOne(slow)
    const again = await takeOne(other)
    delivered.ack()
    await settled(slow)
    t.match(await slow.depth('standard'), { waiting: 0, delivered: 0 })
    again.ack()
    await slow.publish(job)
    const renewed = await takeOne(slow)
    t.match(renewed, { deliveries: 1, sequence: 2 })
    delivered.nak(0)
    again.nak(0)
    again.ack()
    t.strictSame(await other.fetch('standard', 1, { waitMs: 50 }), [])
    t.match(await slow.depth('standard'), { waiting: 0, delivered: 1 })
    renewed.ack()
    renewed.ack()
    await settled(slow)
    t.match(await slow.depth('standard'), { waiting: 0, delivered: 0 })
  })

  await t.test('a full lane refuses new jobs and still knows its own', async (t) => {
    const bus = await world(t, { laneCapacity: 3 })
    const queue = await bus.queue()
    const [first, second, third, fourth] = [pointer(), pointer(), pointer(), pointer()]
    for (const each of [first, second, third]) await queue.publish(each)
    t.equal(await code(queue.publish(fourth)), 'full')
    t.strictSame(await queue.publish(second), { sequence: 2, duplicate: true })
    t.match(await queue.publish(pointer('batch')), { duplicate: false })
    ;(await takeOne(queue)).ack()
    await settled(queue)
    t.strictSame(await queue.publish(fourth), { sequence: 4, duplicate: false })
  })

  await t.test('no more jobs are delivered than may be unacked', async (t) => {
    const bus = await world(t, { deliveredCapacity: 2 })
    const queue = await bus.queue()
    for (let n = 0; n < 5; n += 1) await queue.publish(pointer())
    const jobs = await queue.fetch('standard', 10, { waitMs })
    t.equal(jobs.length, 2)
    t.strictSame(await queue.fetch('standard', 10, { waitMs: 50 }), [])
    t.strictSame(await queue.depth('standard'), { waiting: 3, delivered: 2, deliveredSequence: 2 })
    const next = queue.fetch('standard', 10, { waitMs })
    jobs[0]?.ack()
    t.match(await next, [{ sequence: 3 }])
  })

  await t.test('many workers share many jobs, each job with one of them at a time, and none is left', async (t) => {
    const bus = await world(t)
    const publisher = await bus.queue()
    const pointers = Array.from({ length: 300 }, () => pointer())
    const held = new Set<string>()
    const done: string[] = []
    const work = async (worker: JobQueue): Promise<void> => {
      while (done.length < pointers.length) {
        for (const job of await worker.fetch('standard', 7, { waitMs: 100 })) {
          t.notOk(held.has(job.turnId), 'held by nobody else')
          held.add(job.turnId)
          await new Promise((resolve) => setImmediate(resolve))
          held.delete(job.turnId)
          if (Math.random() < 0.2) job.nak(0)
          else {
            job.ack()
            done.push(job.turnId)
          }
        }
      }
    }
    const workers = [await bus.queue(), await bus.queue(), await bus.queue()].map(work)
    await Promise.all(pointers.map((each) => publisher.publish(each)))
    await Promise.all(workers)
    await settled(publisher)
    t.strictSame(done.sort(), pointers.map(({ turnId }) => turnId).sort())
    t.match(await publisher.depth('standard'), { waiting: 0, delivered: 0 })
  })

  await t.test('while the bus is away nothing is taken for said, and afterwards every job is there', async (t) => {
    const bus = await world(t, { ackWaitMs: 300 })
    const queue = await bus.queue()
    const [first, second] = [pointer(), pointer()]
    await queue.publish(first)
    const job = await takeOne(queue)
    const waiting = queue.fetch('standard', 1, { waitMs: never })
    await queue.depth('standard')
    await bus.disconnect()
    t.strictSame(await waiting, [])
    t.equal(await code(queue.publish(second)), 'disconnected')
    t.equal(await code(queue.fetch('standard', 1, { waitMs })), 'disconnected')
    t.equal(await code(queue.depth('standard')), 'disconnected')
    job.ack()
    await bus.reconnect()
    await queue.publish(second)
    const jobs = await take(queue, 2)
    t.strictSame(new Set(jobs.map(({ turnId }) => turnId)), new Set([first.turnId, second.turnId]))
    t.ok((jobs.find(({ turnId }) => turnId === first.turnId)?.deliveries ?? 0) > 1, 'delivered again, as its ack was lost')
  })

  await t.test('close ends the fetches under way, and the jobs in hand go to others', async (t) => {
    const bus = await world(t, { ackWaitMs: 200 })
    const [closing, other] = [await bus.queue(), await bus.queue()]
    await closing.publish(pointer())
    const job = await takeOne(closing)
    const waiting = closing.fetch('batch', 1, { waitMs: never })
    await closing.depth('batch')
    await closing.close()
    await closing.close()
    t.strictSame(await waiting, [])
    t.equal(await code(closing.fetch('standard', 1, { waitMs })), 'closed')
    t.equal(await code(closing.publish(pointer())), 'closed')
    job.ack()
    t.match(await takeOne(other), { turnId: job.turnId, deliveries: 2 })
  })

  await t.test('a turn id that is no word is refused', async (t) => {
    const queue = await (await world(t)).queue()
    for (const turnId of ['', 'a b', '*', 'a.b.>']) await t.rejects(queue.publish({ ...pointer(), turnId }), RangeError)
  })
}
