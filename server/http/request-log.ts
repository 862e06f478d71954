/**
 * The access log and the counts of requests. Who is woken at night wants what failed, and by which request; what went well
 * is counted, and logged at `debug` only. A line has no address, no query, no header and no body: tickets, ids of people
 * and what they wrote stand in those.
 */
import type { Logger } from '../../platform/logging/logger.ts'
import type { Metrics } from '../../platform/metrics/metrics.ts'
import type { Outcome } from './exchange.ts'

/** An answer that took this long, in milliseconds, is worth a line. */
const slowMs = 30_000
/** Lines a second that are no debugging; what is beyond is counted, and told with the next line. */
const mostLines = 50
const windowMs = 1_000
const buckets = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300]

export interface RequestCounts {
  readonly waiting: number
  readonly sending: number
  readonly streaming: number
  readonly bodyBytes: number
  readonly connections: number
  /** Since the start. */
  readonly refusedConnections: number
}

export interface RequestLogOptions {
  readonly logger: Logger
  readonly metrics: Metrics
  readonly monotonic: () => number
  readonly counts: () => RequestCounts
}

export class RequestLog {
  readonly #options: RequestLogOptions
  readonly #count: (labels: { readonly route: string; readonly status: string }) => void
  readonly #observe: (route: string, seconds: number) => void
  #since = 0
  #lines = 0
  #left = 0

  constructor(options: RequestLogOptions) {
    this.#options = options
    const { metrics, counts } = options
    const requests = metrics.counter({ name: 'chatterbot_http_requests_total', help: 'HTTP requests that are over, by what they asked for and how they were answered; `left`: the client went away before', labels: ['route', 'status'] })
    const seconds = metrics.histogram({ name: 'chatterbot_http_request_seconds', help: 'From the head of a request until its answer was decided, or its stream began', labels: ['route'], buckets })
    metrics.gauge({ name: 'chatterbot_http_open_requests', help: 'Requests that are not over, by what they do', labels: ['stage'] }, (gauge) => {
      for (const stage of ['waiting', 'sending', 'streaming'] as const) gauge.set({ stage }, counts()[stage])
    })
    metrics.gauge({ name: 'chatterbot_http_body_bytes', help: 'Bytes of request bodies that are still coming' }, (gauge) => gauge.set(counts().bodyBytes))
    metrics.gauge({ name: 'chatterbot_http_connections', help: 'Open connections, those that became WebSockets left out' }, (gauge) => gauge.set(counts().connections))
    metrics.gauge({ name: 'chatterbot_http_refused_connections', help: 'Connections that were ended at once, since the start, as there were too many' }, (gauge) => gauge.set(counts().refusedConnections))
    this.#count = (labels) => requests.inc(labels)
    this.#observe = (route, value) => seconds.observe({ route }, value)
  }

  ended(outcome: Outcome): void {
    const { route, status, decidedMs, isWhole, bytes, keyId, request } = outcome
    this.#count({ route, status: status === null ? 'left' : String(status) })
    if (status !== null) this.#observe(route, decidedMs / 1000)
    const { method } = request.head
    const line = { request: request.id, method, route, status, ms: Math.round(decidedMs), bytes, ...(keyId === null ? {} : { key: keyId }), ...(isWhole ? {} : { cut: true }) }
    const level = levelOf(outcome)
    if (level === 'debug') this.#options.logger.debug(line, 'request')
    else if (this.#mayWrite()) this.#options.logger[level](this.#left === 0 ? line : { ...line, left_out: this.#takeLeft() }, 'request')
  }

  #mayWrite(): boolean {
    const now = this.#options.monotonic()
    if (now - this.#since >= windowMs) {
      this.#since = now
      this.#lines = 0
    }
    this.#lines += 1
    if (this.#lines <= mostLines) return true
    this.#left += 1
    return false
  }

  #takeLeft(): number {
    const left = this.#left
    this.#left = 0
    return left
  }
}

/** What is refused for load is known by its count, and would fill the log just then. */
function levelOf({ status, decidedMs }: Outcome): 'warn' | 'info' | 'debug' {
  if (status !== null && status >= 500 && status !== 503) return 'warn'
  return status === 503 || status === 401 || status === 403 || decidedMs >= slowMs ? 'info' : 'debug'
}
