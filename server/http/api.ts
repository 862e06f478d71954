/** The operations of the HTTP API: who asks, whether they may, what they ask, and the answer. */
import { ChatError } from '../../protocol/errors.ts'
import type { Method, Operation } from '../../protocol/rest/operation.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Tracer } from '../../platform/tracing/tracer.ts'
import { nobody, type Identity } from '../auth/authenticator.ts'
import { missingPermission } from '../auth/authorization.ts'
import { fieldsOfRefusal, type Admission, type Admitted } from '../limits/admission.ts'
import { challenge, mergeHeaders, type Answer, type Headers, type HttpAnswer } from './answer.ts'
import type { Bodies } from './body.ts'
import type { Exchange } from './exchange.ts'
import type { BoundOperation } from './operation-group.ts'
import type { OriginRules } from './origin-rules.ts'
import { PathTable } from './path-match.ts'
import type { HttpRequestContext } from './request-context.ts'
import type { RequestHead } from './request-head.ts'

const defaultBodyBytes = 256 * 1024

type RequestParts = Parameters<BoundOperation['decode']>[0]

export interface ApiOptions {
  readonly operations: readonly BoundOperation[]
  /** Rejects with ChatError `unauthenticated`, or with another of the catalogue where it cannot be told now. */
  readonly identify: (request: HttpRequestContext, operation: Operation, address: Pick<RequestParts, 'params' | 'query'>) => Promise<Identity>
  readonly admission: Admission
  readonly bodies: Bodies
  readonly origins: OriginRules
  readonly tracer: Tracer
  readonly isDraining: () => boolean
  readonly logger: Logger
}

type Methods = Map<Method, BoundOperation>

export class Api {
  readonly #options: ApiOptions
  readonly #paths = new PathTable<Methods>()

  constructor(options: ApiOptions) {
    this.#options = options
    for (const bound of options.operations) {
      const { method, path } = bound.operation
      const methods = this.#paths.at(path, () => new Map())
      if (methods.has(method)) throw new Error(`${method} ${path} is there twice`)
      methods.set(method, bound)
    }
  }

  /** The answer, which never rejects; null where there is no such path. To be called within the handler of the library. */
  handle(exchange: Exchange): Promise<Answer> | null {
    const { head } = exchange.request
    const match = this.#paths.match(head.path)
    if (match === null) return null
    const { origins } = this.#options
    const method = head.isHead ? 'get' : head.method
    const bound = match.value.get(method as Method)
    if (bound === undefined) return Promise.resolve(this.#otherMethod(head, match.value))
    exchange.route = bound.id
    this.#trace(exchange, bound)
    const body = bound.operation.body === undefined ? null : exchange.readBody(this.#options.bodies, bound.operation.bodyBytes ?? defaultBodyBytes)
    const { request } = exchange
    const raw = { params: match.params, query: head.query, header: (name: string) => request.header(name) }
    const answer = this.#answer(bound, exchange, raw, async () => ({ ...raw, body: body === null ? null : await body }))
    const cors = origins.headers(head)
    return answer.then((decided) => ({ ...decided, headers: mergeHeaders(cors, decided.headers) }))
  }

  #trace(exchange: Exchange, { id, operation }: BoundOperation): void {
    const { request } = exchange
    const span = this.#options.tracer.span(id, request.traceparent, 'server', { 'http.request.method': request.head.method.toUpperCase(), 'http.route': operation.path, 'chatterbot.request_id': request.id })
    exchange.span = span
    request.traceparent = span.traceparent
  }

  #otherMethod(head: RequestHead, methods: Methods): HttpAnswer {
    const { origins } = this.#options
    const allow = allowed(methods)
    if (head.method === 'options') return { status: 204, headers: { Allow: allow, ...origins.preflightHeaders(head, allow) }, body: null }
    return anyOf(methods).errorAnswer(new ChatError('method_not_allowed'), { Allow: allow, ...origins.headers(head) })
  }

  /** Never rejects. */
  async #answer(bound: BoundOperation, exchange: Exchange, address: Pick<RequestParts, 'params' | 'query'>, request: () => Promise<RequestParts>): Promise<Answer> {
    const { identify, admission, isDraining, origins } = this.#options
    const { request: context } = exchange
    let headers: Headers = {}
    const admitted = async (verdict: Promise<Admitted>): Promise<void> => {
      const { headers: told, refusal } = await verdict
      headers = mergeHeaders(headers, told)
      if (refusal !== null) throw refusal
    }
    try {
      const foreign = origins.refusal(context.head)
      if (foreign !== null) throw foreign
      if (isDraining()) throw new ChatError('draining', undefined, { retryAfterMs: 1000 })
      if (exchange.isTooMany) throw new ChatError('too_many_connections', undefined, { retryAfterMs: 1000 })
      await admitted(admission.meet(context.address))
      const identity = bound.operation.permission === 'public' ? nobody : await identify(context, bound.operation, address)
      exchange.keyId = identity.keyId
      const { permission } = bound.operation
      const missing = missingPermission(identity, permission === 'any' || permission === 'public' ? null : permission)
      if (missing !== null) throw missing
      await admitted(admission.admit(identity, context.header('x-user-id')))
      const parts = bound.decode(await request())
      const answer = await bound.handle({ identity, request: context, ...parts })
      return { ...answer, headers: mergeHeaders(headers, answer.headers) }
    } catch (error) {
      return this.#refusal(error, bound, context, headers)
    }
  }

  #refusal(error: unknown, { id, errorAnswer }: BoundOperation, context: HttpRequestContext, headers: Headers): HttpAnswer {
    if (error instanceof ChatError) return errorAnswer(error, mergeHeaders(headers, fieldsOfRefusal(error), challenge(error)))
    this.#options.logger.error({ err: error, operation: id, request: context.id }, 'an operation failed unexpectedly')
    return errorAnswer(new ChatError('internal', undefined, { cause: error }), headers)
  }
}

/** A path has an operation at least, and all of a path are of one group. */
function anyOf(methods: Methods): BoundOperation {
  return methods.values().next().value as BoundOperation
}

function allowed(methods: Methods): string {
  const names = [...methods.keys()].map((method) => method.toUpperCase())
  return [...names, 'OPTIONS', ...(methods.has('get') ? ['HEAD'] : [])].sort().join(', ')
}
