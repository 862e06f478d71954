/** An edge on a random port over a real Postgres and the bus in memory, and a bridge that does what a test tells it. */
import { createMetrics } from '../../platform/metrics/metrics.ts'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { newWorld, type Edge as Actors } from '../../actors/testing/edges.ts'
import type { ConversationService, TurnOrigin } from '../../actors/conversation-service.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import { createEdge, type Edge, type EdgeOptions } from '../edge.ts'
import { readMetric, testEdgeOptions } from './test-edge.ts'

export interface LiveEdge {
  readonly actors: Actors
  readonly edge: Edge
  readonly url: string
  /** Lets the edge and its actors believe that so much time has passed. */
  readonly pass: (ms: number) => void
  /** A metric's value as exposed, 0 where it has none; `labels` as in the exposition. */
  metric(name: string, labels?: string): Promise<number>
  post(path: string, body: unknown, headers?: Readonly<Record<string, string>>): Promise<Response>
  get(path: string, headers?: Readonly<Record<string, string>>): Promise<Response>
}

export type World = Awaited<ReturnType<typeof newWorld>>

/** `door`: what stands before the actors, such as limits. */
export async function startLiveEdge(t: TestContext, world: World, node = 'edge-1', { door, ...overrides }: Partial<EdgeOptions> & { readonly door?: (actors: Actors) => ConversationService } = {}): Promise<LiveEdge> {
  let passed = 0
  // Time that stands still makes actors doubt what they own, so theirs goes on by the hands alone.
  const actors = await world.edge(node, { turnDeadlineMs: 600_000, clock: { now: () => systemClock.now() + passed, monotonic: () => systemClock.monotonic() } })
  const metrics = createMetrics({ role: 'edge', node })
  const edge = createEdge({
    ...testEdgeOptions({
      metrics,
      logger: createLogger({ level: 'silent', name: 'test' }),
      clock: { now: () => systemClock.now() + passed, monotonic: () => systemClock.monotonic() + passed },
    }),
    node,
    service: door?.(actors) ?? withOpenDoor(actors.runtime.service),
    ...overrides,
  })
  t.teardown(() => edge.stop())
  await edge.start()
  const url = `http://127.0.0.1:${edge.port}`
  return {
    actors,
    edge,
    url,
    pass: (ms) => {
      passed += ms
    },
    metric: (name, labels) => readMetric(metrics, name, labels),
    post: (path, body, headers = {}) => fetch(url + path, { method: 'POST', headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) }),
    get: (path, headers = {}) => fetch(url + path, { headers }),
  }
}

/** The door keeps limits, and takes who asks out of a turn's origin: that is nothing for the bus. This one lets all pass. */
function withOpenDoor(service: ConversationService): ConversationService {
  const known = ({ lane, traceparent, kept }: TurnOrigin = {}): TurnOrigin => ({ ...(kept === undefined ? {} : { kept }), ...(lane === undefined ? {} : { lane }), ...(traceparent === undefined ? {} : { traceparent }) })
  return new Proxy(service, {
    get: (target, name) => {
      if (name === 'send') return (...[userId, command, origin]: Parameters<ConversationService['send']>) => target.send(userId, command, known(origin))
      const value: unknown = Reflect.get(target, name)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
}
