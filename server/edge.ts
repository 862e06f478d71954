/**
 * The edge: one port for WebSockets, for what operators ask, and for the chat page.
 *
 * New -> listening (start) -> draining (drain) -> stopped (stop), never back.
 */
import uWS from 'uWebSockets.js'
import { ChatError } from '../protocol/errors.ts'
import { openAiOperations } from '../protocol/openai/operations.ts'
import { restOperations } from '../protocol/rest/operations.ts'
import type { ConnectionLimits } from '../protocol/websocket/commands/hello.ts'
import { limits } from '../protocol/websocket/limits.ts'
import type { Load } from '../protocol/websocket/fields.ts'
import { payersOf } from '../actors/limits/payers.ts'
import type { ConversationService } from '../actors/conversation-service.ts'
import type { Clock } from '../platform/clock.ts'
import { once } from '../platform/lifecycle/once.ts'
import type { Service } from '../platform/lifecycle/service.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { Metrics } from '../platform/metrics/metrics.ts'
import type { ReadinessPart } from '../platform/status/status.ts'
import type { Tracer } from '../platform/tracing/tracer.ts'
import type { Authenticator } from './auth/authenticator.ts'
import { requestIdentity } from './auth/request-identity.ts'
import type { StreamTickets } from './auth/stream-tickets.ts'
import type { Tickets } from './auth/tickets.ts'
import { createEdgeMetrics, type EdgeMetrics } from './edge-metrics.ts'
import { Page } from './http/page.ts'
import { Api } from './http/api.ts'
import { Bodies } from './http/body.ts'
import { Connections } from './http/connections.ts'
import { Exchanges } from './http/exchanges.ts'
import { metricsRoute } from './http/metrics-route.ts'
import { bind } from './http/operation-group.ts'
import type { ClientAddresses } from './http/client-address.ts'
import { OriginRules } from './http/origin-rules.ts'
import { RequestLog, type RequestCounts } from './http/request-log.ts'
import { serveHttp, type HttpHandler } from './http/router.ts'
import { problem, problemOf, type HttpAnswer } from './http/answer.ts'
import { healthAnswer, readyAnswer } from './http/status-routes.ts'
import type { EdgeLimits } from './limits/configured-limits.ts'
import { listen, type Listener } from './listener.ts'
import { levelOf, loadOf } from './load-level.ts'
import type { ModelDirectory } from './models/model-directory.ts'
import { openAiErrorAnswer } from './openai/error-answer.ts'
import { openAiHandlers } from './openai/handlers.ts'
import { AbandonedTurns } from './turns/abandoned-turns.ts'
import { serveWebSockets } from './websocket/endpoint.ts'
import { restHandlers } from './rest/handlers.ts'
import { isLoopback } from './websocket/handshake.ts'
import { CredentialWatch } from './websocket/credential-watch.ts'
import { Sessions } from './websocket/sessions.ts'

const tickMs = 1000
/** Less than the minute after which proxies take a silent stream for dead. */
const keepAliveMs = 15_000

export interface EdgeOptions {
  readonly service: ConversationService
  readonly authenticator: Authenticator
  readonly models: ModelDirectory
  readonly tickets: Tickets
  readonly streamTickets: StreamTickets
  /** Name of this process on the bus, told to clients. */
  readonly node: string
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  /** Whether other edges may listen on the port too, each taking some of the connections. */
  readonly sharesPort: boolean
  /** What the bundler made of the page. */
  readonly pageFolder: string
  /** Origins whose pages may connect; null: pages of this host. */
  readonly allowedOrigins: readonly string[] | null
  readonly framesPerSecond: number
  readonly openConversations: number
  readonly maxConnections: number
  readonly maxConnectionsPerAddress: number
  readonly limits: EdgeLimits
  readonly addresses: ClientAddresses
  /** How long `drain` may take. */
  readonly drainDeadlineMs: number
  readonly readiness: readonly ReadinessPart[]
  /** Of the process: the edge adds its own, and serves all. */
  readonly metrics: Metrics
  /** Of requests and commands. */
  readonly tracer: Tracer
  readonly logger: Logger
  readonly clock: Clock
}

export interface Edge extends Service {
  /** Known once started. */
  readonly port: number
  drain(): Promise<void>
}

export function createEdge(options: EdgeOptions): Edge {
  return new EdgeService(options)
}

class EdgeService implements Edge {
  readonly name = 'edge'
  readonly #options: EdgeOptions
  readonly #app = uWS.App()
  readonly #credentials: CredentialWatch
  readonly #sessions: Sessions
  readonly #bodies: Bodies
  readonly #exchanges: Exchanges
  readonly #connections: Connections
  readonly #abandoned: AbandonedTurns
  #page: Page | undefined
  #listener: Listener | undefined
  #port = 0
  #load: Load = loadOf('normal', { queue_depth: 0, eta_ms: 0 })
  #timer: NodeJS.Timeout | undefined
  readonly #metrics: EdgeMetrics
  #starting: Promise<void> | undefined
  #isDraining = false
  #isStopped = false

  constructor(options: EdgeOptions) {
    this.#options = options
    const { authenticator, clock, logger } = options
    this.#credentials = new CredentialWatch({ authenticator, now: () => clock.now(), monotonic: () => clock.monotonic(), logger })
    this.#sessions = new Sessions({
      credentials: this.#credentials,
      maxConnections: options.maxConnections,
      maxPerAddress: options.maxConnectionsPerAddress,
      metrics: options.limits.metrics,
      monotonic: () => options.clock.monotonic(),
    })
    const monotonic = (): number => options.clock.monotonic()
    this.#bodies = new Bodies(monotonic)
    const mostPerAddress = Math.max(options.maxConnectionsPerAddress, options.maxConnections / 10)
    this.#connections = new Connections({
      most: options.maxConnections,
      mostNewPerAddress: mostPerAddress,
      addresses: options.addresses,
      monotonic,
    })
    const counts = (): RequestCounts => {
      const { waiting, sending, streaming } = this.#exchanges
      return { waiting, sending, streaming, bodyBytes: this.#bodies.held, connections: this.#connections.open, refusedConnections: this.#connections.refused }
    }
    const log = new RequestLog({ logger, metrics: options.metrics, monotonic, counts })
    this.#exchanges = new Exchanges({ monotonic, logger, mostPerAddress, ended: (outcome) => log.ended(outcome) })
    this.#abandoned = new AbandonedTurns({ service: options.service, monotonic, logger: options.logger })
    this.#metrics = createEdgeMetrics(options.metrics, () => ({ connections: this.#sessions.size, blocked: this.#sessions.blockedCount }))
  }

  get port(): number {
    return this.#port
  }

  readonly start = once(() => (this.#starting = this.#start()))

  readonly drain = once(() => {
    this.#isDraining = true
    return this.#drain()
  })

  readonly stop = once(() => {
    this.#isDraining = true
    this.#isStopped = true
    return this.#stop()
  })

  async #start(): Promise<void> {
    const { host, port, sharesPort, pageFolder, logger } = this.#options
    const page = await Page.load(pageFolder)
    if (this.#isStopped) return
    this.#page = page
    this.#serve(page)
    this.#listener = await listen(this.#app, { host, port, isShared: sharesPort })
    this.#port = this.#listener.port
    this.#sessions.start()
    this.#timer = setInterval(() => this.#tick(), tickMs)
    page.compress().catch((error: unknown) => logger.error({ err: error }, 'the page could not be compressed'))
    logger.info({ host, port: this.port }, 'listening')
  }

  #serve(page: Page): void {
    const { service, authenticator, tickets, streamTickets, models, addresses, limits: { plans, admission, metrics: limitMetrics }, node, logger, clock, host, allowedOrigins } = this.#options
    const policy = { allowed: allowedOrigins, onLoopback: isLoopback(host) }
    const origins = new OriginRules({ ...policy, asksForNoCredentials: !authenticator.isRequired })
    this.#connections.watch(this.#app)
    serveWebSockets(this.#app, {
      context: {
        service,
        authenticator,
        node,
        logger,
        metrics: this.#metrics,
        tracer: this.#options.tracer,
        limitMetrics,
        limits: this.#limits(),
        planOf: (identity, userId) => payersOf(plans, userId, identity)[0]?.plan ?? plans.default,
        monotonic: () => clock.monotonic(),
        now: () => clock.now(),
        load: () => this.#load,
        join: (session, userId, most) => this.#sessions.join(session, userId, most),
        identified: (session, identity) => this.#credentials.watch(session, identity),
        blocked: (session) => this.#sessions.blocked(session),
        unblocked: (session) => this.#sessions.unblocked(session),
      },
      sessions: this.#sessions,
      addresses,
      admission,
      origins: policy,
      isDraining: () => this.#isDraining,
      upgraded: () => this.#connections.upgraded(),
    })
    const context = { service, logger, tickets, streamTickets: authenticator.isRequired ? streamTickets : null, abandoned: this.#abandoned, load: () => this.#load, monotonic: () => clock.monotonic(), keepAliveMs }
    const api = new Api({
      operations: [...bind(restOperations, restHandlers(context), problemOf), ...bind(openAiOperations, openAiHandlers({ ...context, models, logger, now: () => clock.now() }), openAiErrorAnswer)],
      identify: requestIdentity(authenticator, streamTickets),
      admission,
      bodies: this.#bodies,
      tracer: this.#options.tracer,
      origins,
      isDraining: () => this.#isDraining,
      logger,
    })
    serveHttp(this.#app, { api, get: this.#routes(), otherwise: (request) => page.answer(request), notFound }, { exchanges: this.#exchanges, origins, addresses, logger })
  }

  #routes(): ReadonlyMap<string, HttpHandler> {
    const { node, readiness, metrics, authenticator } = this.#options
    const draining: ReadinessPart = { name: 'server', missing: () => (this.#isDraining ? 'about to stop' : null) }
    return new Map<string, HttpHandler>([
      ['/health', () => healthAnswer(node)],
      ['/ready', () => readyAnswer([...readiness, draining])],
      ['/metrics', metricsRoute(metrics, authenticator)],
      // Only what is no handshake comes here.
      ['/ws', () => problem(426, 'This address speaks WebSocket.', { Upgrade: 'websocket', Connection: 'Upgrade' })],
    ])
  }

  #limits(): ConnectionLimits {
    const { framesPerSecond, openConversations } = this.#options
    return {
      frame_bytes: limits.frameBytes,
      text_bytes: limits.textBytes,
      frames_per_second: framesPerSecond,
      unanswered_commands: limits.unansweredCommands,
      open_conversations: openConversations,
      waiting_turns: limits.waitingTurns,
    }
  }

  #tick(): void {
    this.#bodies.tick()
    this.#exchanges.tick()
    this.#abandoned.tick()
    this.#lookAtLoad()
  }

  #lookAtLoad(): void {
    const { service, logger } = this.#options
    try {
      const before = this.#load.level
      const found = service.load()
      this.#load = loadOf(levelOf(found.eta_ms, before), found)
      if (this.#load.level !== before) this.#sessions.tellLoad(this.#load).catch((error: unknown) => logger.error({ err: error }, 'the load could not be told'))
    } catch (error) {
      logger.error({ err: error }, 'the load is not known')
    }
  }

  #closePort(): void {
    this.#listener?.close()
    this.#listener = undefined
  }

  async #drain(): Promise<void> {
    await this.#starting?.catch(() => {})
    this.#closePort()
    const { drainDeadlineMs } = this.#options
    await Promise.all([this.#sessions.drain(drainDeadlineMs), this.#exchanges.drain(drainDeadlineMs)])
  }

  async #stop(): Promise<void> {
    // A start that failed has told its caller.
    await this.#starting?.catch(() => {})
    clearInterval(this.#timer)
    this.#sessions.stop()
    this.#exchanges.cutAll()
    this.#closePort()
    this.#app.close()
    await this.#page?.stop()
    // The library frees its sockets in the next turn of the event loop.
    await new Promise((resolve) => setImmediate(resolve))
  }
}

/** In the form of those who ask there. */
function notFound(path: string): HttpAnswer {
  const error = new ChatError('not_found')
  return path.startsWith('/v1/') ? openAiErrorAnswer(error) : problemOf(error)
}
