import t from 'tap'
import { runProgram } from '../../../tests/harness/processes.ts'
import { testChannel } from '../channel.conformance.ts'
import { testDeadLetters } from '../dead-letters.conformance.ts'
import { testJobQueue } from '../job-queue.conformance.ts'
import { MemoryBus } from './memory-bus.ts'

t.test('the channel conforms', async (t) => {
  const bus = new MemoryBus()
  await testChannel(t, {
    channel: async (t) => {
      const channel = bus.channel()
      t.teardown(() => channel.close())
      return channel
    },
    disconnect: async () => bus.disconnect(),
    reconnect: async () => bus.reconnect(),
  })
})

t.test('the job queue conforms', async (t) => {
  await testJobQueue(t, async (t, limits) => {
    const bus = new MemoryBus(limits)
    return {
      queue: async () => {
        const queue = bus.jobQueue()
        t.teardown(() => queue.close())
        return queue
      },
      disconnect: async () => bus.disconnect(),
      reconnect: async () => bus.reconnect(),
    }
  })
})

t.test('the dead letters conform', async (t) => {
  await testDeadLetters(t, async (t, deadLetters) => {
    const bus = new MemoryBus({ deadLetters })
    return {
      deadLetters: async () => {
        const client = bus.deadLetters()
        t.teardown(() => client.close())
        return client
      },
      disconnect: async () => bus.disconnect(),
      reconnect: async () => bus.reconnect(),
    }
  })
})

t.test('what a handler throws is told, with its subject', async (t) => {
  const thrown: unknown[] = []
  const bus = new MemoryBus({ onHandlerError: (...args) => thrown.push(args) })
  const channel = bus.channel()
  const fault = new Error('of a handler')
  channel.subscribe('a.b', () => {
    throw fault
  })
  channel.publish('a.b', new Uint8Array())
  await channel.close()
  t.strictSame(thrown, [[fault, 'a.b']])
})

t.test('what is on its way when the bus goes away is lost', async (t) => {
  const bus = new MemoryBus()
  const channel = bus.channel()
  const got: number[] = []
  channel.subscribe('a', (message) => {
    got.push(message.payload.length)
    if (got.length === 2) {
      bus.disconnect()
      bus.reconnect()
    }
  })
  for (const size of [1, 2, 3, 4]) channel.publish('a', new Uint8Array(size))
  await channel.close()
  t.strictSame(got, [1, 2])
})

t.test('a publisher that never lets the event loop turn meets a bound, and is told', async (t) => {
  let dropped = 0
  let received = 0
  const bus = new MemoryBus({ onHandlerError: () => (dropped += 1) })
  const channel = bus.channel()
  channel.subscribe('a', () => (received += 1))
  const payload = new Uint8Array(512 * 1024)
  for (let n = 0; n < 200; n += 1) channel.publish('a', payload)
  await channel.close()
  t.equal(received, 128)
  t.equal(dropped, 72)
})

t.test('jobs to be delivered again come before new ones, in the order in which that fell due', async (t) => {
  const queue = new MemoryBus().jobQueue()
  const publish = (turnId: string) => queue.publish({ lane: 'standard', turnId, conversationId: 1 })
  for (const turnId of ['a', 'b', 'c']) await publish(turnId)
  const [a, b, c] = await queue.fetch('standard', 3, { waitMs: 0 })
  for (const turnId of ['d', 'e']) await publish(turnId)
  for (const job of [b, c, a]) job?.nak(0)
  t.strictSame((await queue.fetch('standard', 4, { waitMs: 0 })).map(({ turnId }) => turnId), ['b', 'c', 'a', 'd'])
})

t.test('fetches that wait are served in their order, and one job is for one of them', async (t) => {
  const bus = new MemoryBus()
  const queue = bus.jobQueue()
  const waiting = [1, 2, 3].map((max) => queue.fetch('standard', max, { waitMs: 60_000 }))
  for (const turnId of ['a', 'b', 'c']) await queue.publish({ lane: 'standard', turnId, conversationId: 1 })
  t.strictSame((await Promise.all(waiting)).map((jobs) => jobs.map(({ turnId }) => turnId)), [['a'], ['b'], ['c']])
})

t.test('a bus with jobs in hand and open subscriptions keeps no process alive', async (t) => {
  const source = `
    import { MemoryBus } from '${new URL('memory-bus.js', import.meta.url).href}'
    const bus = new MemoryBus()
    bus.channel().subscribe('a', () => {})
    const queue = bus.jobQueue()
    await queue.publish({ lane: 'standard', turnId: 'a', conversationId: 1 })
    console.log((await queue.fetch('standard', 1, { waitMs: 60_000 })).length)`
  const { code, output } = await runProgram({ command: process.execPath, args: ['--input-type=module', '-e', source] })
  t.equal(code, 0)
  t.equal(output, '1\n')
})
