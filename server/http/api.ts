/**
 * The operations of the HTTP API: who asks, whether they may, what they ask, and the answer. Whatever happens, a request
 * gets exactly one answer: uWebSockets.js aborts the process otherwise.
 */
import type { HttpRequest, HttpResponse } from 'uWebSockets.js'
import { ChatError } from '../../protocol/errors.ts'
import type { Method, Operation } from '../../protocol/rest/operation.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { nobody, type Identity } from '../auth/authenticator.ts'
import { missingPermission } from '../auth/authorization.ts'
import type { Admission, Admitted } from '../limits/admission.ts'
import type { Answer, Headers, HttpAnswer } from './answer.ts'
import type { Bodies } from './body.ts'
import type { ClientAddresses } from './client-address.ts'
import type { Exchanges } from './exchanges.ts'
import type { BoundOperation } from './operation-group.ts'
import { PathTable, type PathMatch } from './path-match.ts'
import { HttpRequestContext } from './request-context.ts'
import { sendAnswer, sendHead } from './send.ts'

const defaultBodyBytes = 256 * 1024

type RequestParts = Parameters<BoundOperation['decode']>[0]

export interface ApiOptions {
  readonly operations: readonly BoundOperation[]
  /** Rejects with ChatError `unauthenticated`, or with another of the catalogue where it cannot be told now. */
  readonly identify: (request: HttpRequestContext, operation: Operation, address: Pick<RequestParts, 'params' | 'query'>) => Promise<Identity>
  /** Where a request comes from. */
  readonly addresses: ClientAddresses
  readonly admission: Admission
  readonly bodies: Bodies
  readonly exchanges: Exchanges
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

  /** False where there is no such path. To be called within the handler of the library. */
  handle(res: HttpResponse, req: HttpRequest): boolean {
    const match = this.#paths.match(req.getUrl())
    if (match === null) return false
    const method = req.getMethod()
    const isHead = method === 'head'
    const bound = match.value.get((isHead ? 'get' : method) as Method)
    if (bound === undefined) sendAnswer(res, anyOf(match.value).errorAnswer(new ChatError('method_not_allowed'), { Allow: allowed(match.value) }), isHead)
    else this.#begin(res, req, bound, match, isHead)
    return true
  }

  #begin(res: HttpResponse, req: HttpRequest, bound: BoundOperation, match: PathMatch<Methods>, isHead: boolean): void {
    const { bodies, exchanges } = this.#options
    const headers = new Map<string, string>()
    req.forEach((name, value) => headers.set(name, value))
    const context = new HttpRequestContext(headers, this.#options.addresses.keyOf(res.getRemoteAddress(), (name) => headers.get(name)))
    const query = req.getQuery() ?? ''
    const { operation } = bound
    const reading = operation.body === undefined ? null : bodies.read(res, operation.bodyBytes ?? defaultBodyBytes, headers.get('content-length') ?? '')
    let sink: ReturnType<Exchanges['stream']> | null = null
    res.onAborted(() => {
      reading?.release()
      if (sink !== null) return sink.aborted()
      exchanges.answered()
      context.gone()
    })
    exchanges.begin()
    const raw = { params: match.params, query, header: (name: string) => context.header(name) }
    void this.#answer(bound, context, raw, async () => ({ ...raw, body: reading === null ? null : await reading.body })).then((answer) => {
      reading?.release()
      if (context.isGone) return
      context.forget()
      const withId = { ...answer, headers: { 'X-Request-Id': context.id, ...answer.headers } }
      if ('open' in withId && !isHead) {
        const opened = (sink = exchanges.stream(res))
        exchanges.answered()
        sendHead(res, withId)
        opened.listen(withId.open(opened))
        return
      }
      exchanges.answered()
      sendAnswer(res, 'open' in withId ? { ...withId, body: null } : withId, isHead, reading?.isComplete === false)
    })
  }

  /** Never rejects. */
  async #answer(bound: BoundOperation, context: HttpRequestContext, address: Pick<RequestParts, 'params' | 'query'>, request: () => Promise<RequestParts>): Promise<Answer> {
    const { identify, admission, isDraining } = this.#options
    let headers: Headers = {}
    const admitted = async (verdict: Promise<Admitted>): Promise<void> => {
      const { headers: told, refusal } = await verdict
      headers = { ...headers, ...told }
      if (refusal !== null) throw refusal
    }
    try {
      if (isDraining()) throw new ChatError('draining', undefined, { retryAfterMs: 1000 })
      await admitted(admission.meet(context.address))
      const identity = bound.operation.permission === 'public' ? nobody : await identify(context, bound.operation, address)
      const { permission } = bound.operation
      const missing = missingPermission(identity, permission === 'any' || permission === 'public' ? null : permission)
      if (missing !== null) throw missing
      await admitted(admission.admit(identity, context.header('x-user-id')))
      const parts = bound.decode(await request())
      const answer = await bound.handle({ ...parts, identity, request: context })
      return { ...answer, headers: { ...headers, ...answer.headers } }
    } catch (error) {
      return this.#refusal(error, bound, context, headers)
    }
  }

  #refusal(error: unknown, { id, errorAnswer }: BoundOperation, context: HttpRequestContext, headers: Headers): HttpAnswer {
    if (error instanceof ChatError) return errorAnswer(error, error.code === 'unauthenticated' ? { ...headers, 'WWW-Authenticate': 'Bearer' } : headers)
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
  return (methods.has('get') ? [...names, 'HEAD'] : names).sort().join(', ')
}
