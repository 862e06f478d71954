import { mock } from 'node:test'
import t from 'tap'
import { newTurnId } from '../../protocol/ids.ts'
import { BusError } from '../../platform/bus/channel.ts'
import { lanes, type JobPointer, type JobQueue } from '../../platform/bus/job-queue.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { NatsBus } from '../../platform/bus/nats/nats-bus.ts'
import { recordedLogger } from '../../platform/logging/testing/recorded-logger.ts'
import { startNatsServer } from '../../tests/harness/nats-server.ts'
import { JobPublisher } from './publisher.ts'

const job = (turnId = newTurnId(3), lane: JobPointer['lane'] = 'standard'): JobPointer => ({ lane, turnId, conversationId: 1024 + 3 })

function newPublisher(queue: JobQueue, logger = recordedLogger()) {
  return new JobPublisher({ queue, logger, monotonic: () => performance.now(), areWaiting: () => false, onLost: () => undefined, onPositions: () => undefined })
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 10))
}

t.test('5,000 turns accepted while NATS is away are queued within seconds of its return, even where it lost its data', async (t) => {
  const server = await startNatsServer(t)
  const logger = recordedLogger()
  const bus = new NatsBus({ urls: [server.url], name: 'test', logger })
  t.teardown(() => bus.stop())
  await bus.start()
  const { channel, jobQueue } = bus
  const publisher = newPublisher(jobQueue, logger)
  publisher.start()
  t.teardown(() => publisher.stop())
  t.teardown(channel.onStatus((status) => {
    if (status === 'connected') publisher.retry()
  }))
  publisher.publish(job(), true)
  await until(async () => (await jobQueue.depth('standard')).waiting === 1)
  await server.kill()
  await until(() => channel.status === 'disconnected')
  const turns = Array.from({ length: 5_000 }, () => newTurnId(3))
  for (const turnId of turns) publisher.publish(job(turnId), true)
  const quiet = logger.lines.filter(({ message }) => message === 'jobs are not published yet').length
  server.loseData()
  await server.start()
  const back = performance.now()
  await until(() => channel.status === 'connected')
  const depth = (): Promise<number> => jobQueue.depth('standard').then(({ waiting }) => waiting, () => 0)
  await until(async () => (await depth()) >= 5_000)
  const took = performance.now() - back
  t.equal(await depth(), 5_000)
  t.ok(took < 10_000, `${Math.round(took)} ms`)
  t.ok(quiet <= 1, `${quiet} lines while it was away`)
  t.same((await jobQueue.fetch('standard', 3, { waitMs: 5_000 })).length, 3)
})

t.test('jobs are published in their order, those that failed first, and none twice', async (t) => {
  const bus = new MemoryBus()
  const queue = bus.jobQueue()
  const publisher = newPublisher(queue)
  const jobs = Array.from({ length: 400 }, () => job())
  bus.disconnect()
  for (const each of jobs) publisher.publish(each, true)
  await new Promise(setImmediate)
  publisher.retry()
  bus.reconnect()
  publisher.retry()
  await until(async () => (await queue.depth('standard')).waiting === 400)
  t.same((await queue.fetch('standard', 400, { waitMs: 0 })).map(({ turnId }) => turnId), jobs.map(({ turnId }) => turnId))
})

t.test('a turn that ends while its job waits is not published any more', async (t) => {
  const bus = new MemoryBus()
  const queue = bus.jobQueue()
  const publisher = newPublisher(queue)
  bus.disconnect()
  const [first, second, third] = [job(), job(), job()]
  for (const each of [first, second, third]) publisher.publish(each, true)
  await new Promise(setImmediate)
  for (const { turnId } of [first, third]) publisher.forget(turnId)
  bus.reconnect()
  publisher.retry()
  await until(async () => (await queue.depth('standard')).waiting > 0)
  t.same((await queue.fetch('standard', 3, { waitMs: 0 })).map(({ turnId }) => turnId), [second.turnId])
})

t.test('a full lane keeps no other lane waiting, and a job that can never be published no other job', async (t) => {
  const bus = new MemoryBus({ laneCapacity: 1 })
  const queue = bus.jobQueue()
  const logger = recordedLogger()
  const publisher = newPublisher(queue, logger)
  publisher.publish(job('not a word', 'batch'), true)
  for (const lane of lanes) for (let n = 0; n < 2; n += 1) publisher.publish(job(newTurnId(3), lane), true)
  for (const lane of lanes) await until(async () => (await queue.depth(lane)).waiting === 1)
  t.match(logger.lines.filter(({ level }) => level === 'error'), [{ message: 'a job cannot be published', fields: { turn: 'not a word' } }])
  await until(() => logger.lines.filter(({ message }) => message === 'jobs are not published yet').length === lanes.length)
  const [standing] = await queue.fetch('standard', 1, { waitMs: 0 })
  standing?.ack()
  publisher.retry()
  await until(async () => (await queue.depth('standard')).waiting === 1)
})

t.test('what is published only to be sure has a bound while the bus is away', async (t) => {
  let tried = 0
  const queue = {
    publish: () => {
      tried += 1
      return Promise.reject(new BusError('disconnected', 'away'))
    },
  } as unknown as JobQueue
  const publisher = newPublisher(queue)
  for (let n = 0; n < 30_000; n += 1) publisher.publish({ ...job(`turn-${n}`) }, false)
  await new Promise(setImmediate)
  t.ok(tried <= 128, `${tried} attempts`)
  publisher.retry()
  await new Promise(setImmediate)
  t.ok(tried <= 129, 'one attempt tells whether it is back')
})

t.test('the queue is looked at each second while somebody waits in it, and else every five', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let now = 0
  let looks = 0
  let areWaiting = true
  const bus = new MemoryBus()
  const queue = bus.jobQueue()
  const counted = { publish: (each: JobPointer) => queue.publish(each), depth: (lane: JobPointer['lane']) => ((looks += lane === 'standard' ? 1 : 0), queue.depth(lane)) } as unknown as JobQueue
  const publisher = new JobPublisher({ queue: counted, logger: recordedLogger(), monotonic: () => now, areWaiting: () => areWaiting, onLost: () => undefined, onPositions: () => undefined })
  publisher.start()
  t.teardown(() => publisher.stop())
  const pass = async (seconds: number): Promise<number> => {
    looks = 0
    for (let n = 0; n < seconds; n += 1) {
      now += 1_000
      mock.timers.tick(1_000)
      await new Promise(setImmediate)
    }
    return looks
  }
  t.equal(await pass(10), 10)
  areWaiting = false
  t.equal(await pass(10), 2)
  publisher.publish(job(), false)
  t.equal(await pass(5), 1)
  t.equal(publisher.load.queueDepth, 1)
  t.equal(await pass(10), 10, 'a queue of others ends some time, and that is told')
})

t.test('a queue that has delivered less than before is another one, which is told', async (t) => {
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  let lost = 0
  let delivered = 7
  const queue = { depth: () => Promise.resolve({ waiting: 1, delivered: 0, deliveredSequence: delivered }) } as unknown as JobQueue
  const publisher = new JobPublisher({ queue, logger: recordedLogger(), monotonic: () => 0, areWaiting: () => true, onLost: () => (lost += 1), onPositions: () => undefined })
  publisher.start()
  t.teardown(() => publisher.stop())
  const told: number[] = []
  for (delivered of [7, 9, 9, 0, 0, 3, 2]) {
    mock.timers.tick(1_000)
    await new Promise(setImmediate)
    told.push(lost)
  }
  t.same(told, [0, 0, 0, 1, 1, 1, 2])
})
