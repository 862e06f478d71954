/**
 * Channel: publish, subscribe, queue groups and request/reply, at most once, as core NATS has them. Subjects are
 * literal. Payloads are bytes; who gets one must not change it.
 */
export interface ChannelMessage {
  readonly subject: string
  readonly payload: Uint8Array
  /** Answers a request; does nothing for a publication. Only the first answer counts. */
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

export type BusErrorCode = 'timeout' | 'no_responders' | 'disconnected' | 'too_big' | 'closed' | 'aborted'

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
  /** Each message goes to every plain subscriber, and to one member of every queue group. A handler that throws is logged. */
  subscribe(subject: string, handler: (message: ChannelMessage) => void, options?: { readonly queue?: string }): Subscription
  /** Rejects with BusError; `no_responders` at once where nobody subscribes. */
  request(subject: string, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array>
  /** Delivers what was published, lets handlers of delivered messages run, then closes. Idempotent. */
  close(): Promise<void>
}
