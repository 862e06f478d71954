import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { AckPolicy, DiscardPolicy, jetstreamManager, RetentionPolicy, StorageType } from '@nats-io/jetstream'
import { connect } from '@nats-io/transport-node'
import t, { type Test } from 'tap'
import { startNatsServer, type NatsServer } from '../../../tests/harness/nats-server.ts'
import { freePort } from '../../../tests/harness/ports.ts'
import { StartupFault } from '../../lifecycle/startup-fault.ts'
import { recordedLogger } from '../../logging/testing/recorded-logger.ts'
import { testChannel } from '../channel.conformance.ts'
import { BusError, type BusStatus, type Channel } from '../channel.ts'
import { testDeadLetters } from '../dead-letters.conformance.ts'
import { settled, testJobQueue } from '../job-queue.conformance.ts'
import { defaultJobQueueLimits } from '../job-queue.ts'
import { connectionOptions } from './connection-options.ts'
import { deliveryInfo } from './job-pull.ts'
import { NatsBus, type NatsBusOptions } from './nats-bus.ts'
import { startServerLine } from './testing/server-line.ts'

async function startBus(t: Test, server: NatsServer, options: Partial<NatsBusOptions> = {}): Promise<NatsBus> {
  const bus = new NatsBus({ urls: [server.url], name: 'test', logger: recordedLogger(), ...options })
  t.teardown(() => bus.stop())
  await bus.start()
  return bus
}

async function reaches(channels: readonly Channel[], wanted: BusStatus): Promise<void> {
  await Promise.all(
    channels.map(
      (channel) =>
        new Promise<void>((resolve) => {
          if (channel.status === wanted) return resolve()
          const stop = channel.onStatus((status) => {
            if (status !== wanted) return
            stop()
            resolve()
          })
        }),
    ),
  )
}

t.test('the channel conforms', async (t) => {
  const server = await startNatsServer(t)
  await testChannel(t, {
    channel: async (t) => (await startBus(t, server)).channel,
    disconnect: async (...clients) => {
      await server.kill()
      await reaches(clients, 'disconnected')
    },
    reconnect: async (...clients) => {
      await server.start()
      await reaches(clients, 'connected')
    },
  })
})

t.test('the job queue conforms', async (t) => {
  await testJobQueue(t, async (t, limits) => {
    const server = await startNatsServer(t)
    const line = await startServerLine(t, server.port)
    const buses: NatsBus[] = []
    return {
      queue: async () => {
        const bus = await startBus(t, server, { limits, urls: [line.url] })
        buses.push(bus)
        return bus.jobQueue
      },
      disconnect: async () => {
        line.cut()
        await reaches(buses.map(({ channel }) => channel), 'disconnected')
      },
      reconnect: async () => {
        line.mend()
        await reaches(buses.map(({ channel }) => channel), 'connected')
      },
    }
  })
})

t.test('the dead letters conform', async (t) => {
  await testDeadLetters(t, async (t, deadLetterLimits) => {
    const server = await startNatsServer(t)
    const buses: NatsBus[] = []
    return {
      deadLetters: async () => {
        const bus = await startBus(t, server, { deadLetterLimits })
        buses.push(bus)
        return bus.deadLetters
      },
      disconnect: async () => {
        await server.kill()
        await reaches(buses.map(({ channel }) => channel), 'disconnected')
      },
      reconnect: async () => {
        await server.start()
        await reaches(buses.map(({ channel }) => channel), 'connected')
      },
    }
  })
})

t.test('whoever leaves the streams as they are makes none, and finds no letters where there is none', async (t) => {
  const server = await startNatsServer(t)
  const reader = await startBus(t, server, { keepsStreams: false })
  t.strictSame(await reader.deadLetters.list({ limit: 1 }), { letters: [], hasMore: false })
  t.equal(await reader.deadLetters.discard('a'), false)
  t.throws(() => reader.jobQueue)
  const turnId = '01890a5d-ac96-700c-8000-000000000001'
  const writer = await startBus(t, server)
  await writer.deadLetters.add({ turnId, conversationId: 1027, lane: 'batch', reason: 'deadline_exceeded', attempt: 1, run: 0, bridge: null, failedAt: 1 })
  t.match(await reader.deadLetters.get(turnId), { lane: 'batch', position: 1 })
})

t.test('a dead letter that cannot be read is left out, and told', async (t) => {
  const server = await startNatsServer(t)
  const logger = recordedLogger()
  const bus = await startBus(t, server, { logger })
  bus.channel.publish('dead-letters.strange', new TextEncoder().encode('no letter'))
  await bus.channel.request('nobody', new Uint8Array(), { timeoutMs: 10_000 }).catch(() => undefined)
  await oncePossible(async () => {
    if ((await bus.deadLetters.list({ limit: 1 })).letters.length > 0) throw new Error('read')
    if (logger.lines.every(({ level }) => level !== 'error')) throw new BusError('full', 'not there yet')
  })
  t.match(logger.lines.find(({ level }) => level === 'error'), { message: 'a dead letter cannot be read', fields: { subject: 'dead-letters.strange' } })
})

/** Asks again while the answer is that the bus does not serve yet. */
async function oncePossible<T>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!(error instanceof BusError) || !['disconnected', 'full'].includes(error.code)) throw error
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
  }
}

/** A server that says hello as NATS does, and nothing more. */
async function startGreeter(t: Test, info: Readonly<Record<string, unknown>>): Promise<string> {
  const server = createServer((socket) => {
    socket.write(`INFO ${JSON.stringify({ server_id: 'x', headers: true, max_payload: 1_048_576, version: '2.12.0', ...info })}\r\n`)
    socket.on('data', (data) => {
      if (data.includes('PING')) socket.write('PONG\r\n')
    })
    socket.on('error', () => undefined)
    t.teardown(() => socket.destroy())
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  return `nats://127.0.0.1:${(server.address() as AddressInfo).port}`
}

async function faultOf(t: Test, url: string, options: Partial<NatsBusOptions> = {}): Promise<StartupFault> {
  const bus = new NatsBus({ urls: [url], name: 'test', logger: recordedLogger(), connectWithinMs: 0, ...options })
  t.teardown(() => bus.stop())
  const error = await bus.start().then(
    () => new Error('started'),
    (reason: unknown) => reason,
  )
  if (error instanceof StartupFault) return error
  throw error
}

t.test('a server that does not serve is refused in words that say what to do', async (t) => {
  const nobody = `nats://ann:hunter2@127.0.0.1:${await freePort()}`
  t.match(await faultOf(t, nobody), { exitCode: 69, message: /^NATS cannot be reached at 127\.0\.0\.1:\d+\.$/, hint: /NATS_URL/ })
  const old = await startGreeter(t, { version: '2.11.9' })
  t.match(await faultOf(t, old), { exitCode: 78, message: /has version 2\.11\.9, and 2\.12 or later is needed/, hint: /Upgrade/ })
  const narrow = await startGreeter(t, { max_payload: 65_536 })
  t.match(await faultOf(t, narrow), { exitCode: 78, message: /messages of 65536 bytes, and 524288 are needed/, hint: /max_payload/ })
  const plain = await startNatsServer(t, [])
  t.match(await faultOf(t, plain.url), { exitCode: 78, message: /has no JetStream/, hint: /-js/ })
  const single = await startNatsServer(t)
  t.match(await faultOf(t, single.url, { replicas: 3 }), { exitCode: 69, message: /cannot hold the job queue: .*replicas/ })
})

t.test('credentials of the URL are used, told wrong where they are, and never logged', async (t) => {
  const server = await startNatsServer(t, ['-js', '--user', 'ann', '--pass', 'a@b:c'])
  const url = (password: string): string => `nats://ann:${encodeURIComponent(password)}@127.0.0.1:${server.port}`
  const fault = await faultOf(t, url('wrong'), { connectWithinMs: 10_000 })
  t.match(fault, { exitCode: 78, message: /refuses the credentials/ })
  t.notMatch(`${fault.message}${fault.hint}`, /ann|wrong/)
  const logger = recordedLogger()
  const bus = await startBus(t, server, { urls: [url('a@b:c')], logger })
  t.equal(bus.channel.status, 'connected')
  t.notMatch(JSON.stringify(logger.lines), /a@b|a%40b/)
})

t.test('URLs become servers, credentials and TLS', (t) => {
  t.match(connectionOptions(['nats://a', 'nats://u:p@b:5222'], 'n'), { name: 'n', servers: ['a:4222', 'b:5222'], user: 'u', pass: 'p', tls: undefined, maxReconnectAttempts: -1 })
  t.match(connectionOptions(['tls://secret@[::1]:1'], 'n'), { servers: ['[::1]:1'], token: 'secret', tls: {} })
  t.end()
})

t.test('start waits for a server that comes later, and stop ends that wait', async (t) => {
  const port = await freePort()
  const logger = recordedLogger()
  const bus = new NatsBus({ urls: [`nats://127.0.0.1:${port}`], name: 'test', logger })
  const starting = bus.start()
  t.equal(starting, bus.start())
  t.throws(() => bus.channel, { message: 'the bus is not started' })
  const stopped = t.rejects(starting, StartupFault)
  await bus.stop()
  await stopped

  const server = await startNatsServer(t)
  await server.stop()
  const waiting = new NatsBus({ urls: [server.url], name: 'test', logger })
  t.teardown(() => waiting.stop())
  const started = waiting.start()
  await server.start()
  await started
  t.equal(waiting.channel.status, 'connected')
})

t.test('a server that was killed comes back without its jobs, and takes them anew', async (t) => {
  const server = await startNatsServer(t)
  const bus = await startBus(t, server)
  const job = { lane: 'standard', turnId: 'a', conversationId: 1024 } as const
  await bus.jobQueue.publish(job)
  await server.kill()
  await reaches([bus.channel], 'disconnected')
  await server.start()
  await reaches([bus.channel], 'connected')
  t.strictSame(await oncePossible(() => bus.jobQueue.publish(job)), { sequence: 1, duplicate: false })
  t.match(await oncePossible(() => bus.jobQueue.fetch('standard', 1, { waitMs: 20_000 })), [job])
})

t.test('what is said of a job that was lost is not taken for said of the one that has its number now', async (t) => {
  const server = await startNatsServer(t)
  const { channel, jobQueue } = await startBus(t, server)
  await jobQueue.publish({ lane: 'standard', turnId: 'a', conversationId: 1024 })
  const [before] = await jobQueue.fetch('standard', 1, { waitMs: 20_000 })
  await server.kill()
  await reaches([channel], 'disconnected')
  await server.start()
  await reaches([channel], 'connected')
  // The last of the lanes: once it serves, all are known anew.
  await oncePossible(() => jobQueue.publish({ lane: 'batch', turnId: 'c', conversationId: 1024 }))
  t.match(await oncePossible(() => jobQueue.fetch('batch', 1, { waitMs: 20_000 })), [{ turnId: 'c' }])
  await jobQueue.publish({ lane: 'standard', turnId: 'b', conversationId: 1024 })
  const [after] = await jobQueue.fetch('standard', 1, { waitMs: 20_000 })
  t.match([before, after], [{ turnId: 'a', sequence: 1 }, { turnId: 'b', sequence: 1 }])
  before?.ack()
  t.strictSame(await jobQueue.fetch('standard', 1, { waitMs: 200 }), [])
  t.match(await jobQueue.depth('standard'), { waiting: 0, delivered: 1 })
  after?.ack()
  await settled(jobQueue)
  t.match(await jobQueue.depth('standard'), { waiting: 0, delivered: 0 })
})

t.test('a lane that an earlier version keeps on disk is made anew in memory, whoever comes first, and holds jobs again', async (t) => {
  const server = await startNatsServer(t)
  const connection = await connect({ servers: server.url })
  t.teardown(() => connection.close())
  const manager = await jetstreamManager(connection)
  await manager.streams.add({ name: 'jobs-standard', subjects: ['jobs.standard.*'], retention: RetentionPolicy.Workqueue, storage: StorageType.File, discard: DiscardPolicy.New, discard_new_per_subject: true, max_msgs_per_subject: 1, max_msgs: 1000 })
  await manager.consumers.add('jobs-standard', { durable_name: 'bridges', ack_policy: AckPolicy.Explicit })
  const job = { lane: 'standard', turnId: 'a', conversationId: 1024 } as const
  const buses = await Promise.all(Array.from({ length: 4 }, () => startBus(t, server)))
  t.match(await manager.streams.info('jobs-standard'), { config: { storage: StorageType.Memory, max_msgs: defaultJobQueueLimits.laneCapacity } })
  const [first, , , last] = buses.map(({ jobQueue }) => jobQueue)
  t.strictSame(await first?.publish(job), { sequence: 1, duplicate: false })
  t.match(await last?.fetch('standard', 1, { waitMs: 20_000 }), [job])
})

t.test('limits that have changed are brought to the server, and jobs survive that', async (t) => {
  const server = await startNatsServer(t)
  const before = await startBus(t, server)
  await before.jobQueue.publish({ lane: 'standard', turnId: 'a', conversationId: 1024 })
  const after = await startBus(t, server, { limits: { ...defaultJobQueueLimits, ackWaitMs: 100, laneCapacity: 1 } })
  await t.rejects(before.jobQueue.publish({ lane: 'standard', turnId: 'b', conversationId: 1024 }), { code: 'full' })
  const [job] = await after.jobQueue.fetch('standard', 1, { waitMs: 20_000 })
  t.match(job, { turnId: 'a', deliveries: 1 })
  t.match(await after.jobQueue.fetch('standard', 1, { waitMs: 20_000 }), [{ turnId: 'a', deliveries: 2 }])
})

t.test('jobs that come one by one are all asked for at one inbox', async (t) => {
  const server = await startNatsServer(t)
  let said = ''
  const line = await startServerLine(t, server.port, (bytes) => (said += bytes.toString('latin1')))
  const bus = await startBus(t, server, { urls: [line.url] })
  const fetchOne = async (turnId: string): Promise<void> => {
    const fetching = bus.jobQueue.fetch('standard', 1, { waitMs: 20_000 })
    await bus.jobQueue.publish({ lane: 'standard', turnId, conversationId: 1024 })
    const [job] = await fetching
    t.equal(job?.turnId, turnId)
    job?.ack()
  }
  await fetchOne('first')
  t.match(said, /^SUB /m)
  said = ''
  for (let n = 0; n < 20; n += 1) await fetchOne(`turn-${n}`)
  t.strictSame(await bus.jobQueue.fetch('standard', 1, { waitMs: 20 }), [], 'nor is it another one after a wait in vain')
  await fetchOne('last')
  t.match(said, /CONSUMER\.MSG\.NEXT/)
  t.notMatch(said, /^(SUB|UNSUB) /m)
})

t.test('a job that is none is discarded, and told', async (t) => {
  const server = await startNatsServer(t)
  const logger = recordedLogger()
  const bus = await startBus(t, server, { logger })
  bus.channel.publish('jobs.standard.strange', new TextEncoder().encode('not a number'))
  await bus.jobQueue.publish({ lane: 'standard', turnId: 'a', conversationId: 1024 })
  const jobs = [...(await bus.jobQueue.fetch('standard', 2, { waitMs: 20_000 })), ...(await bus.jobQueue.fetch('standard', 2, { waitMs: 100 }))]
  t.match(jobs, [{ turnId: 'a' }])
  jobs[0]?.ack()
  await settled(bus.jobQueue)
  t.match(await bus.jobQueue.depth('standard'), { waiting: 0, delivered: 0 })
  t.match(logger.lines.filter(({ level }) => level === 'error'), [{ message: 'a job that cannot be read was discarded', fields: { subject: 'jobs.standard.strange' } }])
})

t.test('a server that takes nothing costs bounded memory: what may be lost is dropped, and told once', { skip: process.platform === 'win32' ? 'no signals on Windows' : false }, async (t) => {
  const server = await startNatsServer(t)
  const logger = recordedLogger()
  const bus = await startBus(t, server, { logger })
  const payload = new Uint8Array(512 * 1024)
  let received = 0
  const other = await startBus(t, server)
  other.channel.subscribe('a', () => (received += 1))
  await other.channel.request('nobody', new Uint8Array(), { timeoutMs: 10_000 }).catch(() => undefined)
  server.signal('SIGSTOP')
  for (let n = 0; n < 160; n += 1) bus.channel.publish('a', payload)
  t.equal(await bus.channel.request('a', payload, { timeoutMs: 10_000 }).catch((error: { readonly code?: unknown }) => error.code), 'full')
  server.signal('SIGCONT')
  t.equal(logger.lines.filter(({ message }) => message.includes('takes less')).length, 1)
  other.channel.subscribe('b', (message) => message.respond(message.payload))
  await other.channel.request('nobody', new Uint8Array(), { timeoutMs: 10_000 }).catch(() => undefined)
  await oncePossible(() => bus.channel.request('b', new Uint8Array(1), { timeoutMs: 20_000 }))
  t.equal(received, 128)
})

t.test('what a handler throws is logged with its subject', async (t) => {
  const server = await startNatsServer(t)
  const logger = recordedLogger()
  const bus = await startBus(t, server, { logger })
  const fault = new Error('of a handler')
  bus.channel.subscribe('a.b', () => {
    throw fault
  })
  bus.channel.publish('a.b', new Uint8Array())
  await bus.channel.close()
  t.match(logger.lines.filter(({ level }) => level === 'error'), [{ message: 'a bus handler failed', fields: { err: fault, subject: 'a.b' } }])
})

t.test('a reply subject tells the delivery, with or without a domain', (t) => {
  t.strictSame(deliveryInfo('$JS.ACK.jobs-standard.bridges.2.17.40.1795486188200745667.5'), { deliveries: 2, sequence: 17, pending: 5 })
  t.strictSame(deliveryInfo('$JS.ACK.hub.ACCOUNT.jobs-standard.bridges.2.17.40.1795486188200745667.5.random'), { deliveries: 2, sequence: 17, pending: 5 })
  t.end()
})
