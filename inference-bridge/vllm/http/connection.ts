/** One connection to an engine: one request at a time, each with a whole answer before the next. */
import { connect as connectPlainly, isIP, type Socket } from 'node:net'
import { connect as connectByTls } from 'node:tls'
import { AnswerReader, type AnswerEvents } from './answer-reader.ts'

/** Hears of one answer: its head, its body in pieces, and then either its end or a fault. */
export interface Answer extends AnswerEvents {
  end(): void
  /** The answer is not complete, and will not be. */
  fault(error: Error): void
}

export interface ConnectionEvents {
  /** It can take another request; `idleMs` is how long the server says it keeps it. */
  idle(connection: Connection, idleMs: number | null): void
  closed(connection: Connection): void
}

/**
 * All plain connections read into this: a read is over before the next begins, and nobody keeps what they are given of it.
 * A buffer for each read, as streams of Node have it, costs more than what is done with the bytes.
 */
const readBuffer = Buffer.allocUnsafeSlow(64 * 1024)

/** connecting → busy ⇄ idle → closed; requests may be sent while it connects. */
export class Connection {
  readonly #events: ConnectionEvents
  readonly #socket: Socket
  readonly #connectTimer: NodeJS.Timeout
  #answer: Answer | null = null
  #reader: AnswerReader | null = null
  #error: Error | null = null

  constructor(origin: URL, connectTimeoutMs: number, events: ConnectionEvents) {
    this.#events = events
    const isSecure = origin.protocol === 'https:'
    // Literal addresses of IPv6 stand in brackets.
    const host = origin.hostname.replace(/^\[|\]$/g, '')
    const address = { host, port: Number(origin.port || (isSecure ? 443 : 80)) }
    const onread = { buffer: readBuffer, callback: (length: number) => this.#read(readBuffer, length) }
    this.#socket = isSecure ? connectByTls({ ...address, ...(isIP(host) === 0 ? { servername: host } : {}), ALPNProtocols: ['http/1.1'] }) : connectPlainly({ ...address, onread })
    this.#socket.setNoDelay(true)
    this.#connectTimer = setTimeout(() => this.#socket.destroy(new Error(`no connection within ${connectTimeoutMs} ms`)), connectTimeoutMs)
    this.#socket
      .on(isSecure ? 'secureConnect' : 'connect', () => clearTimeout(this.#connectTimer))
      .on('error', (error) => (this.#error ??= error))
      .on('end', () => this.#ended())
      .on('close', () => this.#closed())
      .on('timeout', () => this.#socket.destroy())
    if (isSecure) this.#socket.on('data', (bytes: Buffer) => this.#read(bytes, bytes.length))
  }

  /** `bytes` is a whole request. */
  send(bytes: string, answer: Answer): void {
    this.#socket.setTimeout(0)
    this.#answer = answer
    this.#reader = new AnswerReader(answer)
    this.#socket.write(bytes)
  }

  /** Closes it after so long without a request. */
  idleFor(ms: number): void {
    this.#socket.setTimeout(ms)
  }

  /** At once, so that the engine drops the request that this answer is to, if it is still under way. The answer hears no more. */
  abort(answer: Answer): void {
    if (this.#answer !== answer) return
    this.#answer = null
    this.#socket.destroy()
  }

  /** At once; an answer under way is a fault. */
  close(): void {
    this.#socket.destroy()
  }

  get isOpen(): boolean {
    return !this.#socket.destroyed
  }

  #read(bytes: Buffer, length: number): boolean {
    const reader = this.#reader
    if (reader === null) {
      // Nothing was asked.
      this.#socket.destroy()
      return true
    }
    try {
      reader.push(bytes, 0, length)
    } catch (error) {
      this.#fail(error)
      return true
    }
    if (reader.over) this.#answered(reader)
    return true
  }

  #answered(reader: AnswerReader): void {
    const answer = this.#answer
    this.#answer = null
    this.#reader = null
    const { reusable, idleMs } = reader.keepAlive
    if (!reusable || this.#socket.destroyed || this.#socket.writableLength > 0) this.#socket.destroy()
    else this.#events.idle(this, idleMs)
    answer?.end()
  }

  #ended(): void {
    const reader = this.#reader
    if (reader !== null) {
      try {
        reader.end()
        this.#answered(reader)
      } catch (error) {
        this.#fail(error)
      }
    }
    this.#socket.destroy()
  }

  #closed(): void {
    clearTimeout(this.#connectTimer)
    this.#events.closed(this)
    this.#fail(this.#error ?? new Error('the connection was closed'))
  }

  #fail(error: unknown): void {
    const answer = this.#answer
    this.#answer = null
    this.#reader = null
    this.#socket.destroy()
    answer?.fault(error instanceof Error ? error : new Error(String(error)))
  }
}
