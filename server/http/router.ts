/**
 * All HTTP of the edge: the API, a few exact paths that can only be read, and the page. GET answers HEAD too. Whatever a
 * handler does, the request is answered: uWebSockets.js aborts the process otherwise.
 */
import type { HttpRequest, HttpResponse, TemplatedApp } from 'uWebSockets.js'
import type { Logger } from '../../platform/logging/logger.ts'
import { errorProblem, problem, problemOf, type Answer, type HttpAnswer } from './answer.ts'
import type { Api } from './api.ts'
import type { ClientAddresses } from './client-address.ts'
import { Compression } from './compression.ts'
import type { Exchange } from './exchange.ts'
import type { Exchanges } from './exchanges.ts'
import type { OriginRules } from './origin-rules.ts'
import { HttpRequestContext } from './request-context.ts'
import { RequestHead } from './request-head.ts'

export type HttpHandler = (request: Pick<HttpRequestContext, 'credentials'>) => HttpAnswer | Promise<HttpAnswer>

export interface HttpRoutes {
  readonly api: Api
  readonly get: ReadonlyMap<string, HttpHandler>
  /** Any other GET; null: there is nothing. */
  readonly otherwise: (request: RequestHead) => HttpAnswer | null
  readonly notFound: (path: string) => HttpAnswer
}

export interface HttpOptions {
  readonly exchanges: Exchanges
  readonly origins: OriginRules
  readonly addresses: ClientAddresses
  readonly logger: Logger
}

export function serveHttp(app: TemplatedApp, routes: HttpRoutes, { exchanges, origins, addresses, logger }: HttpOptions): void {
  const answerTo = (exchange: Exchange): Answer | Promise<Answer> => {
    const { head } = exchange.request
    if (head.fault !== null) return errorProblem(head.fault)
    const refusal = origins.hostRefusal(head)
    return refusal === null ? (routes.api.handle(exchange) ?? route(routes, exchange)) : problemOf(refusal)
  }

  const compression = new Compression()
  const settle = async (exchange: Exchange): Promise<void> => {
    let answer: Answer
    try {
      const decided = await answerTo(exchange)
      answer = 'open' in decided ? decided : await compression.apply(decided, exchange.request.head.header('accept-encoding'))
    } catch (error) {
      logger.error({ err: error, path: exchange.request.head.path, request: exchange.request.id }, 'an HTTP handler failed')
      answer = errorProblem('internal')
    }
    exchange.answer(answer)
  }

  app.any('/*', (res: HttpResponse, req: HttpRequest) => {
    try {
      const head = new RequestHead(req)
      const address = addresses.keyOf(res.getRemoteAddress(), (name) => head.header(name))
      void settle(exchanges.begin(res, new HttpRequestContext(head, address)))
    } catch (error) {
      logger.error({ err: error }, 'a request could not be begun')
      res.close()
    }
  })
}

function route(routes: HttpRoutes, exchange: Exchange): HttpAnswer | Promise<HttpAnswer> {
  const { head } = exchange.request
  const handler = routes.get.get(head.path)
  const isRead = head.method === 'get' || head.isHead
  if (handler !== undefined) exchange.route = head.path
  if (handler !== undefined && isRead) return handler(exchange.request)
  const found = handler === undefined ? routes.otherwise(head) : null
  if (handler === undefined && found === null) return routes.notFound(head.path)
  if (found !== null) exchange.route = 'page'
  return isRead && found !== null ? found : problem(405, 'This address can only be read.', { Allow: 'GET, HEAD' }, { code: 'method_not_allowed' })
}
