/** An edge on a random port, with a clock that a test can move on and a log that it can read. */
import { ChatError } from '../../protocol/errors.ts'
import { createMetrics, type Metrics } from '../../platform/metrics/metrics.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { MemoryCredentials } from '../../storage/testing/memory-credentials.ts'
import { createNoAuthentication } from '../auth/none.ts'
import { StreamTickets } from '../auth/stream-tickets.ts'
import { Tickets } from '../auth/tickets.ts'
import { noTracer } from '../../platform/tracing/tracer.ts'
import { createEdge, type Edge, type EdgeOptions } from '../edge.ts'
import { ClientAddresses } from '../http/client-address.ts'
import { testLimits } from './test-limits.ts'
import { scriptedService, type ScriptedService } from './scripted-service.ts'
import { openTestSocket, type TestSocket, type TestSocketOptions } from './test-socket.ts'

interface TestContext {
  teardown(handler: () => unknown): unknown
}

export interface TestEdge {
  readonly edge: Edge
  readonly service: ScriptedService
  /** Messages of what was logged as an error. */
  readonly faults: string[]
  readonly connect: (options?: Omit<TestSocketOptions, 'port'>) => Promise<TestSocket>
  /** Connected, and has said hello. */
  readonly join: (options?: Omit<TestSocketOptions, 'port'> & { readonly userId?: string }) => Promise<TestSocket>
  /** Lets the edge believe that so much time has passed. */
  readonly pass: (ms: number) => void
  /** A metric's value as exposed, 0 where it has none; `labels` as in the exposition. */
  readonly metric: (name: string, labels?: string) => Promise<number>
}

export async function startTestEdge(t: TestContext, overrides: Partial<Omit<EdgeOptions, 'service'>> & { readonly service?: ScriptedService } = {}): Promise<TestEdge> {
  const faults: string[] = []
  let passed = 0
  const clock = { now: () => Date.now() + passed, monotonic: () => performance.now() + passed }
  const service = overrides.service ?? scriptedService()
  const metrics = createMetrics({ role: 'edge', node: 'test' })
  const edge = createEdge({ ...testEdgeOptions({ metrics, logger: silentLogger(faults), clock }), ...overrides, service })
  const sockets: TestSocket[] = []
  t.teardown(async () => {
    for (const socket of sockets) await socket.leave()
    await edge.stop()
  })
  await edge.start()
  const connect: TestEdge['connect'] = async (options = {}) => {
    const socket = await openTestSocket({ port: edge.port, ...options })
    sockets.push(socket)
    return socket
  }
  return {
    edge,
    service,
    faults,
    connect,
    join: async ({ userId, ...options } = {}) => {
      const socket = await connect(options)
      await socket.hello(userId)
      return socket
    },
    pass: (ms) => {
      passed += ms
    },
    metric: (name, labels) => readMetric(metrics, name, labels),
  }
}

/** A metric's value as exposed, 0 where it has none; `labels` as in the exposition. */
export async function readMetric(metrics: Metrics, name: string, labels = ''): Promise<number> {
  const line = (await metrics.expose()).split('\n').find((each) => each.startsWith(`${name}{`) && each.includes(labels))
  return line === undefined ? 0 : Number(line.split(' ').at(-1))
}

/** Those of an edge on a random port, but for what serves it. */
export function testEdgeOptions(process: Pick<EdgeOptions, 'metrics' | 'logger' | 'clock'>): Omit<EdgeOptions, 'service'> {
  const { clock } = process
  const credentials = new MemoryCredentials(() => clock.now())
  const tickets = new Tickets({ store: credentials, clock })
  return {
    authenticator: createNoAuthentication(tickets),
    models: { models: () => Promise.reject(new ChatError('engine_unavailable')) },
    tickets,
    streamTickets: new StreamTickets({ store: credentials, clock, turnDeadlineMs: 600_000 }),
    node: 'test',
    host: '127.0.0.1',
    port: 0,
    sharesPort: false,
    pageFolder: '/nowhere',
    allowedOrigins: null,
    framesPerSecond: 1000,
    openConversations: 32,
    maxConnections: 1000,
    maxConnectionsPerAddress: 100,
    limits: testLimits(),
    addresses: new ClientAddresses({ trusted: [], header: 'x-forwarded-for' }),
    drainDeadlineMs: 5_000,
    readiness: [],
    tracer: noTracer,
    ...process,
  }
}

function silentLogger(faults: string[]): Logger {
  const nothing = (): void => {}
  const keep = (first: Record<string, unknown> | string, message?: string): void => {
    faults.push(typeof first === 'string' ? first : (message ?? ''))
  }
  const logger: Logger = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: keep, fatal: keep, child: () => logger }
  return logger
}
