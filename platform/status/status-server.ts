/**
 * A port of a process's own for /health, /ready and /metrics. Edges share their public port, so that there nobody knows
 * which of them answers; bridges have no other.
 */
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { once } from '../lifecycle/once.ts'
import type { Service } from '../lifecycle/service.ts'
import { exitCodes, StartupFault } from '../lifecycle/startup-fault.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { healthOf, readinessOf, type ReadinessPart } from './status.ts'

export interface StatusServerOptions {
  readonly host: string
  /** 0: any free one. */
  readonly port: number
  readonly node: string
  readonly readiness: readonly ReadinessPart[]
  readonly metrics: Metrics
  readonly logger: Logger
}

/** A scrape takes milliseconds; more at once are nobody's. */
const maxConnections = 64
const requestMs = 10_000

export class StatusServer implements Service {
  readonly name = 'status'
  readonly #options: StatusServerOptions
  readonly #server = createServer({ requestTimeout: requestMs, headersTimeout: requestMs }, (request, response) => this.#answer(request, response))

  constructor(options: StatusServerOptions) {
    this.#options = options
    this.#server.maxConnections = maxConnections
  }

  /** Known once started. */
  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0
  }

  /** Rejects with StartupFault where the port cannot be had. */
  readonly start = once(() => {
    const { host, port } = this.#options
    return new Promise<void>((resolve, reject) => {
      this.#server.once('error', (error: NodeJS.ErrnoException) => reject(faultOf(error, host, port)))
      this.#server.listen({ host, port, exclusive: true }, resolve)
    })
  })

  readonly stop = once(
    () =>
      new Promise<void>((resolve) => {
        this.#server.close(() => resolve())
        this.#server.closeAllConnections()
      }),
  )

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { node, readiness, metrics, logger } = this.#options
    if (request.method !== 'GET' && request.method !== 'HEAD') return send(response, 405, 'text/plain', 'This address can only be read.\n', { Allow: 'GET, HEAD' })
    const json = (status: number, value: unknown): void => send(response, status, 'application/json', JSON.stringify(value))
    switch (request.url?.split('?', 1)[0]) {
      case '/health':
        return json(200, healthOf(node))
      case '/ready': {
        const found = readinessOf(readiness)
        return json(found.ready ? 200 : 503, found)
      }
      case '/metrics':
        metrics.expose().then(
          (text) => send(response, 200, metrics.contentType, text),
          (error: unknown) => {
            logger.error({ err: error }, 'the metrics cannot be told')
            send(response, 500, 'text/plain', 'The metrics cannot be told.\n')
          },
        )
        return
      default:
        send(response, 404, 'text/plain', 'There are /health, /ready and /metrics.\n')
    }
  }
}

function send(response: ServerResponse, status: number, type: string, body: string, headers: Readonly<Record<string, string>> = {}): void {
  response.writeHead(status, { 'Content-Type': type, 'Content-Length': Buffer.byteLength(body), 'Cache-Control': 'no-store', 'X-Content-Type-Options': 'nosniff', ...headers })
  response.end(body)
}

function faultOf(error: NodeJS.ErrnoException, host: string, port: number): StartupFault {
  if (error.code === 'EADDRINUSE') return new StartupFault(`Port ${port} of ${host}, for status and metrics, is taken by another program.`, 'Choose another CHATTERBOT_STATUS_PORT; 0 is any free one.', { cause: error })
  return new StartupFault(`Cannot listen on ${host}:${port} for status and metrics (${error.code ?? error.message}).`, 'Choose another CHATTERBOT_STATUS_HOST or CHATTERBOT_STATUS_PORT.', { exitCode: exitCodes.config, cause: error })
}
