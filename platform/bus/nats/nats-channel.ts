import type { Msg, Subscription as NatsSubscription } from '@nats-io/transport-node'
import { busMessageBytes } from '../../../protocol/bus/subjects.ts'
import type { Logger } from '../../logging/logger.ts'
import { BusError, type BusStatus, type Channel, type ChannelMessage, type RequestOptions, type Subscription } from '../channel.ts'
import { assertLiteralSubject } from '../subject.ts'
import type { NatsLink } from './nats-link.ts'
import { NatsRequests } from './nats-requests.ts'

/** A server that does not answer by then is not waited for. */
const drainDeadlineMs = 5_000

export class NatsChannel implements Channel {
  readonly #link: NatsLink
  readonly #logger: Logger
  readonly #requests: NatsRequests
  readonly #subscriptions = new Set<NatsSubscription>()
  readonly #listeners = new Set<(status: BusStatus) => void>()
  readonly #unwatch: () => void
  #closing: Promise<void> | undefined
  #closed = false

  constructor(link: NatsLink, logger: Logger) {
    this.#link = link
    this.#logger = logger
    this.#requests = new NatsRequests(link)
    this.#unwatch = link.onStatus((status) => this.#tell(status))
  }

  get status(): BusStatus {
    return this.#closed ? 'closed' : this.#link.status
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  publish(subject: string, payload: Uint8Array): void {
    if (this.status === 'closed') throw new BusError('closed', 'the channel is closed')
    assertLiteralSubject(subject)
    checkSize(payload)
    // The client would keep it until the connection is back, when nobody waits for it any more.
    if (this.status === 'connected') this.#link.send(subject, payload)
  }

  subscribe(subject: string, handler: (message: ChannelMessage) => void, options: { readonly queue?: string } = {}): Subscription {
    this.#refuseClosed()
    assertLiteralSubject(subject)
    const subscription = this.#link.connection.subscribe(subject, {
      ...options,
      callback: (error, message) => this.#handle(handler, subject, error, message),
    })
    this.#subscriptions.add(subscription)
    return {
      unsubscribe: () => {
        this.#subscriptions.delete(subscription)
        if (!subscription.isClosed()) subscription.unsubscribe()
      },
    }
  }

  async request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    this.#refuseClosed()
    assertLiteralSubject(subject)
    checkSize(payload)
    return (await this.#requests.request(subject, payload, options)).data
  }

  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  async #close(): Promise<void> {
    this.#requests.close()
    const drained = async (): Promise<void> => {
      this.#link.write()
      // Handlers of what has come until then may answer, and that has left by the flush.
      await Promise.all([...this.#subscriptions].map((subscription) => subscription.drain()))
      await this.#link.flush()
    }
    if (this.#link.status === 'connected') await this.#whileConnected(drained())
    for (const subscription of this.#subscriptions) if (!subscription.isClosed()) subscription.unsubscribe()
    this.#subscriptions.clear()
    this.#unwatch()
    this.#tell('closed')
    this.#listeners.clear()
  }

  /** Never rejects; resolves at the latest when the bus is away, or the deadline is over. */
  async #whileConnected(work: Promise<void>): Promise<void> {
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, drainDeadlineMs)
      const stop = this.#link.onStatus(() => resolve())
      work.then(resolve, resolve).finally(() => {
        clearTimeout(timer)
        stop()
      })
    })
  }

  #tell(status: BusStatus): void {
    if (this.#closed) return
    this.#closed = status === 'closed'
    for (const listener of [...this.#listeners]) listener(status)
  }

  #refuseClosed(): void {
    if (this.#closing !== undefined || this.status === 'closed') throw new BusError('closed', 'the channel is closed')
  }

  /** Must not throw: the client stops reading from the server then. */
  #handle(handler: (message: ChannelMessage) => void, subject: string, error: Error | null, message: Msg): void {
    try {
      if (error !== null) throw error
      const { data, reply = '' } = message
      let answered = reply === ''
      handler({
        subject,
        payload: data,
        respond: (payload) => {
          checkSize(payload)
          if (answered || this.status !== 'connected') return
          answered = true
          this.#link.send(reply, payload)
        },
      })
    } catch (thrown) {
      this.#logger.error({ err: thrown, subject }, 'a bus handler failed')
    }
  }
}

function checkSize(payload: Uint8Array): void {
  if (payload.byteLength > busMessageBytes) throw new BusError('too_big', `${payload.byteLength} bytes, and a bus message has ${busMessageBytes} at most`)
}
