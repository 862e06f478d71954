/**
 * One request on its way to its one answer: waiting -> sending or streaming -> over. uWebSockets.js aborts the process
 * where a request gets no answer, and throws where one gets two or its client is gone.
 */
import type { HttpResponse } from 'uWebSockets.js'
import type { Span } from '../../platform/tracing/tracer.ts'
import type { Answer, HttpAnswer } from './answer.ts'
import type { Bodies, BodyRead } from './body.ts'
import type { HttpRequestContext } from './request-context.ts'
import { sendAnswer, sendHead } from './send.ts'
import { ResponseSink, type SinkOwner } from './stream-sink.ts'

export type Stage = 'waiting' | 'sending' | 'streaming' | 'over'

/** What became of a request. */
export interface Outcome {
  readonly request: HttpRequestContext
  /** Id of the operation, or what else answers at the address. */
  readonly route: string
  readonly keyId: string | null
  /** Null: the client left before it was decided. */
  readonly status: number | null
  /** Bytes of the body, of an answer that was whole. */
  readonly bytes: number | null
  /** From the head until the answer was decided; of one that never was, until the client left. */
  readonly decidedMs: number
  /** The client has all that there was for it. */
  readonly isWhole: boolean
}

export interface ExchangeOwner {
  monotonic(): number
  /** Connections are to end with their answers. */
  readonly isDraining: boolean
  moved(exchange: Exchange, from: Stage, to: Stage): void
  /** An answer could not be sent: a fault of ours. */
  failed(error: unknown, request: string): void
  over(outcome: Outcome): void
}

export class Exchange implements SinkOwner {
  readonly request: HttpRequestContext
  /** Of who asks, once that is known. */
  keyId: string | null = null
  route = 'none'
  /** Its address has too many open already. */
  isTooMany = false
  /** Of an operation, where requests are traced. */
  span: Span | null = null
  readonly #owner: ExchangeOwner
  readonly #res: HttpResponse
  readonly #begunAt: number
  #decidedAt: number | null = null
  #stage: Stage = 'waiting'
  #reading: BodyRead | null = null
  #sink: ResponseSink | null = null
  #status: number | null = null
  #bytes: number | null = null

  /** To be made within the handler of the library. */
  constructor(res: HttpResponse, request: HttpRequestContext, owner: ExchangeOwner) {
    this.request = request
    this.#res = res
    this.#owner = owner
    this.#begunAt = owner.monotonic()
    res.onAborted(() => this.#aborted())
  }

  get stage(): Stage {
    return this.#stage
  }

  monotonic(): number {
    return this.#owner.monotonic()
  }

  /** To be called within the handler of the library. As `Bodies.read`. */
  readBody(bodies: Bodies, most: number): Promise<Uint8Array> {
    this.#reading = bodies.read(this.#res, most, this.request.head.header('content-length'))
    return this.#reading.body
  }

  /**
   * To be called once. It goes out in a later turn of the event loop: what the client sent behind the request without
   * waiting for its answer ends the connection by then, as the library sees to.
   */
  answer(answer: Answer): void {
    this.#decidedAt = this.monotonic()
    setImmediate(() => {
      try {
        this.#send(answer)
      } catch (error) {
        // Half of it may be out: all that is left is to have the client see that it is not whole.
        this.#owner.failed(error, this.request.id)
        this.giveUp()
      }
    })
  }

  /** Milliseconds for which the client has taken nothing of a stream. */
  stalledMs(): number {
    return this.#sink?.stalledMs() ?? 0
  }

  /** Milliseconds for which a whole answer has been on its way. */
  sendingMs(): number {
    return this.#stage === 'sending' ? this.monotonic() - (this.#decidedAt ?? 0) : 0
  }

  /** The client takes too little: it is as good as gone. */
  giveUp(): void {
    if (this.#sink !== null) this.#sink.giveUp()
    else if (this.#stage !== 'over') this.#res.close()
  }

  draining(): void {
    this.#sink?.draining()
  }

  /** Of its stream: nothing more will be written. */
  over(sink: ResponseSink): void {
    this.#finish(sink.isWhole)
  }

  #send(answer: Answer): void {
    const { request } = this
    if ('discard' in answer && (this.#stage === 'over' || request.head.isHead)) answer.discard?.()
    if (this.#stage === 'over') return
    const isIncomplete = this.#reading?.isComplete === false
    this.#reading?.release()
    request.forget()
    this.#status = answer.status
    const headed = { ...answer, headers: { 'X-Request-Id': request.id, ...answer.headers } }
    if ('open' in headed && !request.head.isHead) return this.#stream(headed)
    const whole: HttpAnswer = 'open' in headed ? { ...headed, body: null } : headed
    // Nothing that follows may be looked at, and no answer without a body ends the connection by itself.
    if (request.head.fault !== null && request.head.isHead) return this.giveUp()
    const closes = isIncomplete || request.head.isChunked || request.head.fault !== null || this.#owner.isDraining
    this.#bytes = whole.body === null ? 0 : whole.body.length
    this.#move('sending')
    if (sendAnswer(this.#res, whole, { isHead: request.head.isHead, closes }, () => this.#finish(true))) this.#finish(true)
  }

  #stream(answer: Extract<Answer, { open: unknown }>): void {
    const sink = (this.#sink = new ResponseSink(this.#res, this))
    this.#move('streaming')
    sendHead(this.#res, answer)
    sink.listen(answer.open(sink))
    // The others were told before this one began.
    if (this.#owner.isDraining) sink.draining()
  }

  #aborted(): void {
    if (this.#stage === 'over') return
    this.#reading?.release()
    if (this.#sink !== null) return this.#sink.aborted()
    this.#finish(false)
    this.request.gone()
  }

  #finish(isWhole: boolean): void {
    if (this.#stage === 'over') return
    this.#move('over')
    const { request, route, keyId } = this
    const decidedMs = (this.#decidedAt ?? this.monotonic()) - this.#begunAt
    const failed = this.#status !== null && this.#status >= 500 ? String(this.#status) : this.#status === null ? 'left' : undefined
    this.span?.end(this.#status === null ? {} : { 'http.response.status_code': this.#status }, failed)
    this.#owner.over({ request, route, keyId, status: this.#status, bytes: this.#bytes, decidedMs, isWhole })
  }

  #move(to: Stage): void {
    const from = this.#stage
    this.#stage = to
    this.#owner.moved(this, from, to)
  }
}
