/**
 * Requests, as the client library has them, but for this: they fail as soon as the bus is away, and can be aborted. All
 * answers come to one subscription.
 */
import { createInbox, type Msg, type MsgHdrs, type Subscription } from '@nats-io/transport-node'
import { BusError, type RequestOptions } from '../channel.ts'
import type { NatsLink } from './nats-link.ts'

export class NatsRequests {
  readonly #link: NatsLink
  readonly #inbox = createInbox()
  readonly #subscription: Subscription
  readonly #unwatch: () => void
  readonly #answers = new Map<string, (message: Msg) => void>()
  readonly #failures = new Set<(error: BusError) => void>()
  #lastToken = 0
  #closed = false

  constructor(link: NatsLink) {
    this.#link = link
    this.#subscription = link.connection.subscribe(`${this.#inbox}.*`, {
      callback: (_, message) => this.#answers.get(message.subject.slice(this.#inbox.length + 1))?.(message),
    })
    this.#unwatch = link.onStatus((status) => {
      if (status === 'disconnected') this.#fail(new BusError('disconnected', 'the bus went away'))
      if (status === 'closed') this.#fail(new BusError('closed', 'the bus is closed'))
    })
  }

  /** Rejects with BusError. */
  request(subject: string, payload: Uint8Array, { timeoutMs, signal }: RequestOptions, headers?: MsgHdrs): Promise<Msg> {
    if (signal?.aborted === true) return Promise.reject(new BusError('aborted', 'the request was aborted'))
    this.#lastToken += 1
    const token = this.#lastToken.toString(36)
    const answer = new Promise<Msg>((resolve, reject) => {
      this.#answers.set(token, (message) => {
        // No responders: the server's own answer.
        if (message.data.length === 0 && message.headers?.code === 503) reject(new BusError('no_responders', `nobody answers ${subject}`))
        else resolve(message)
      })
      if (this.#closed || this.#link.status !== 'connected') return
      if (!this.#link.send(subject, payload, `${this.#inbox}.${token}`, headers)) reject(new BusError('full', 'too much waits for the bus'))
    })
    return this.guard(answer, { what: subject, timeoutMs, ...(signal === undefined ? {} : { signal }) }).finally(() => this.#answers.delete(token))
  }

  /** `work`, unless the time is up, the bus is away or nobody wants it any more: then a BusError. */
  guard<T>(work: Promise<T>, { what, timeoutMs, signal }: RequestOptions & { readonly what: string }): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer)
        signal?.removeEventListener('abort', onAbort)
        this.#failures.delete(fail)
      }
      const fail = (error: Error): void => {
        end()
        reject(error)
      }
      const onAbort = (): void => fail(new BusError('aborted', 'the request was aborted'))
      const timer = setTimeout(() => fail(new BusError('timeout', `no answer from ${what} within ${timeoutMs} ms`)), timeoutMs)
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#failures.add(fail)
      work.then((value) => {
        end()
        resolve(value)
      }, fail)
      if (this.#closed) fail(new BusError('closed', 'the bus is closed'))
      else if (this.#link.status !== 'connected') fail(new BusError('disconnected', 'the bus is away'))
    })
  }

  /** What is under way fails with `closed`. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#unwatch()
    this.#fail(new BusError('closed', 'the bus is closed'))
    if (!this.#subscription.isClosed()) this.#subscription.unsubscribe()
  }

  #fail(error: BusError): void {
    for (const fail of [...this.#failures]) fail(error)
  }
}
