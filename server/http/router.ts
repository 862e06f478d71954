/**
 * All HTTP of the edge: the API, a few exact paths that can only be read, and the page. GET answers HEAD too. Whatever a
 * handler does, the request is answered: uWebSockets.js aborts the process otherwise.
 */
import type { HttpResponse, TemplatedApp } from 'uWebSockets.js'
import type { Logger } from '../../platform/logging/logger.ts'
import { errorProblem, problem, type HttpAnswer } from './answer.ts'
import type { Api } from './api.ts'
import { sendAnswer } from './send.ts'

/** Valid until the handler returns or first awaits. */
export interface RequestHead {
  readonly method: string
  readonly path: string
  /** Empty where there is none; `name` in lower case. */
  header(name: string): string
}

export type HttpHandler = (request: RequestHead) => HttpAnswer | Promise<HttpAnswer>

export interface HttpRoutes {
  readonly api: Api
  readonly get: ReadonlyMap<string, HttpHandler>
  /** Any other GET; null: there is nothing. */
  readonly otherwise: (request: RequestHead) => HttpAnswer | null
  readonly notFound: (path: string) => HttpAnswer
}

export function serveHttp(app: TemplatedApp, routes: HttpRoutes, logger: Logger): void {
  const failed = (error: unknown, path: string): HttpAnswer => {
    logger.error({ err: error, path }, 'an HTTP handler failed')
    return errorProblem('internal')
  }
  app.any('/*', (res, req) => {
    const request: RequestHead = { method: req.getMethod(), path: req.getUrl(), header: (name) => req.getHeader(name) }
    const isHead = request.method === 'head'
    let answer: HttpAnswer | Promise<HttpAnswer>
    try {
      if (routes.api.handle(res, req)) return
      answer = route(routes, request)
    } catch (error) {
      answer = failed(error, request.path)
    }
    if (answer instanceof Promise) void sendLater(res, answer.catch((error: unknown) => failed(error, request.path)), isHead)
    else sendAnswer(res, answer, isHead)
  })
}

async function sendLater(res: HttpResponse, answer: Promise<HttpAnswer>, isHead: boolean): Promise<void> {
  let aborted = false
  res.onAborted(() => {
    aborted = true
  })
  const settled = await answer
  if (!aborted) sendAnswer(res, settled, isHead)
}

function route(routes: HttpRoutes, request: RequestHead): HttpAnswer | Promise<HttpAnswer> {
  const { method, path } = request
  const handler = routes.get.get(path)
  const isRead = method === 'get' || method === 'head'
  if (handler !== undefined && isRead) return handler(request)
  const found = handler === undefined ? routes.otherwise(request) : null
  if (handler === undefined && found === null) return routes.notFound(path)
  return isRead && found !== null ? found : problem(405, 'This address can only be read.', { Allow: 'GET, HEAD' }, { code: 'method_not_allowed' })
}
