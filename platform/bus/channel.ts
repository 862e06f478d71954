/**
 * Channel: publish, subscribe, queue groups and request/reply, at most once, as core NATS has them. Subjects are
 * literal: words of `A-Z a-z 0-9 _ -` with dots between; another throws RangeError. Payloads are bytes; once published,
 * nobody changes them.
 */
export interface ChannelMessage {
  readonly subject: string
  readonly payload: Uint8Array
  /** Answers a request; does nothing for a publication. Only the first answer counts. Throws BusError `too_big`. */
  respond(payload: Uint8Array): void
}

export interface Subscription {
  /** Stops new messages at once. */
  unsubscribe(): void
}

export interface RequestOptions {
  readonly timeoutMs: number
  readonly signal?: AbortSignal
}

export type BusErrorCode = 'timeout' | 'no_responders' | 'disconnected' | 'too_big' | 'full' | 'closed' | 'aborted'

export class BusError extends Error {
  override readonly name = 'BusError'
  readonly code: BusErrorCode
  constructor(code: BusErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export type BusStatus = 'connected' | 'disconnected' | 'closed'

export interface Channel {
  readonly status: BusStatus
  /** Called on every change of status. Returns the function that stops it. */
  onStatus(listener: (status: BusStatus) => void): () => void
  /** Throws BusError `too_big` above busMessageBytes and `closed` after close; dropped while disconnected. */
  publish(subject: string, payload: Uint8Array): void
  /**
   * Each message goes to every plain subscriber, and to one member of every queue group, also of this channel; those of
   * one publisher in their order, never within the call that published. A handler that throws is logged.
   */
  subscribe(subject: string, handler: (message: ChannelMessage) => void, options?: { readonly queue?: string }): Subscription
  /** Rejects with BusError; `no_responders` at once where nobody subscribes, `disconnected` as soon as the bus is away. */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array>
  /**
   * Takes no more messages, delivers what was published, lets handlers of delivered messages run and answer, then closes.
   * Requests under way reject with `closed`. Idempotent.
   */
  close(): Promise<void>
}
