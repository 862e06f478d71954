import type { MsgHdrs, NatsConnection } from '@nats-io/transport-node'
import type { Logger } from '../../logging/logger.ts'
import type { BusStatus } from '../channel.ts'

/** Bytes on their way to the server that it has not confirmed; beyond, what may be lost is. */
const mostUnconfirmedBytes = 64 * 1024 * 1024
/** So often the server is asked how far it has read. */
const confirmEveryBytes = 1024 * 1024
/** What need not go at once waits so long for something to go with. */
const waitsForOthersMs = 50

interface Outgoing {
  readonly subject: string
  readonly payload: Uint8Array
  readonly reply?: string | undefined
  readonly headers?: MsgHdrs | undefined
}

/** A connection as channel and job queue see it: its status, and a bound on what waits for the server. */
export class NatsLink {
  readonly connection: NatsConnection
  readonly #logger: Logger
  readonly #listeners = new Set<(status: BusStatus) => void>()
  readonly #watching: Promise<void>
  #status: BusStatus = 'connected'
  #sentBytes = 0
  #confirmedBytes = 0
  #confirming = false
  #isFull = false
  #outgoing: Outgoing[] = []
  #isWriteDue = false
  #lateWrite: NodeJS.Timeout | undefined

  constructor(connection: NatsConnection, logger: Logger) {
    this.connection = connection
    this.#logger = logger
    this.#watching = this.#watch()
  }

  get status(): BusStatus {
    return this.#status
  }

  onStatus(listener: (status: BusStatus) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /**
   * False where too much waits for the server: then it is not sent. Only while connected. What is sent in one turn of the
   * event loop goes in one write at its end: the client library writes after each callback, and a write costs more than
   * all else that is done for a message. `payload` must stay as it is until then.
   */
  send(subject: string, payload: Uint8Array, reply?: string, headers?: MsgHdrs): boolean {
    if (this.#sentBytes - this.#confirmedBytes + payload.byteLength > mostUnconfirmedBytes) {
      if (!this.#isFull) this.#logger.warn('NATS takes less than is sent to it: messages are dropped')
      this.#isFull = true
      return false
    }
    this.#isFull = false
    if (!this.#isWriteDue) {
      this.#isWriteDue = true
      setImmediate(() => this.write())
    }
    this.#outgoing.push({ subject, payload, reply, headers })
    this.#sentBytes += payload.byteLength
    if (this.#sentBytes - this.#confirmedBytes > confirmEveryBytes && !this.#confirming) void this.#confirm()
    return true
  }

  /** As `send`, for what nobody waits for: it goes with what goes next, and by itself only where that takes long. */
  sendWithNext(subject: string, payload: Uint8Array): void {
    this.#outgoing.push({ subject, payload })
    this.#lateWrite ??= setTimeout(() => this.write(), waitsForOthersMs)
  }

  /**
   * Writes at once what was sent: to be called before the client library is asked for what must come after it. What was to go
   * while the bus went away is lost, as what was under way.
   */
  write(): void {
    const outgoing = this.#outgoing
    this.#outgoing = []
    this.#isWriteDue = false
    clearTimeout(this.#lateWrite)
    this.#lateWrite = undefined
    // Its status is told a moment after it is closed.
    if (this.#status !== 'connected' || this.connection.isClosed()) return
    for (const { subject, payload, reply = '', headers } of outgoing) this.connection.publish(subject, payload, headers === undefined ? { reply } : { reply, headers })
  }

  /** Resolves once the server has all that was sent. Rejects where the connection ends before. */
  async flush(): Promise<void> {
    this.write()
    await this.connection.flush()
  }

  async close(): Promise<void> {
    this.write()
    this.#setStatus('closed')
    await this.connection.close()
    await this.#watching
  }

  async #confirm(): Promise<void> {
    this.#confirming = true
    const sent = this.#sentBytes
    try {
      await this.flush()
    } catch {
      // Disconnected: what was on its way is lost, and so waits no more.
    }
    this.#confirmedBytes = sent
    this.#confirming = false
  }

  async #watch(): Promise<void> {
    const { connection } = this
    for await (const event of connection.status()) {
      switch (event.type) {
        case 'disconnect':
          this.#logger.warn({ server: event.server }, 'NATS is away')
          this.#setStatus('disconnected')
          break
        case 'reconnect':
          this.#logger.info({ server: event.server }, 'NATS is back')
          this.#setStatus('connected')
          break
        case 'error':
          this.#logger.warn({ err: event.error }, 'NATS reports an error')
          break
        case 'staleConnection':
          this.#logger.warn('NATS answers no pings')
          break
        case 'ldm':
          // It closes the connection soon, and the client goes to another server of its cluster.
          this.#logger.warn({ server: event.server }, 'this NATS server is about to stop')
          break
        case 'slowConsumer':
          this.#logger.warn({ pending: event.pending }, 'a subscription falls behind')
          break
        default:
      }
    }
    this.#setStatus('closed')
  }

  #setStatus(status: BusStatus): void {
    if (this.#status === status || this.#status === 'closed') return
    this.#status = status
    for (const listener of [...this.#listeners]) listener(status)
  }
}
