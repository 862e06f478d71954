/**
 * Connections to one engine, kept for the next request where the answer before was whole. As many as there are requests at
 * once: how many that are is for the caller to bound. Node's own and undici's clients cost twice as much a read, and a read
 * of a stream is a token; and what counts a prompt leaves its connection to the stream that follows.
 */
import { Connection, type Answer } from './connection.ts'

export interface ConnectionTiming {
  readonly connectMs: number
  /** A connection without a request is closed after so long, or sooner where the server says that it does. */
  readonly keepAliveMs: number
}

/** A server that says how long it keeps a connection closes it just when one would use it. */
const closesBeforeMs = 1000
/** What may stand in a head: no line ends. */
const headerText = /^[\x20-\x7e]*$/

export class Connections {
  readonly #origin: URL
  readonly #timing: ConnectionTiming
  readonly #all = new Set<Connection>()
  /** The one used last is used next, so that those not needed fall idle. */
  readonly #idle: Connection[] = []
  readonly #events = {
    idle: (connection: Connection, idleMs: number | null): void => {
      connection.idleFor(Math.max(1, Math.min(this.#timing.keepAliveMs, (idleMs ?? Number.POSITIVE_INFINITY) - closesBeforeMs)))
      this.#idle.push(connection)
    },
    closed: (connection: Connection): void => {
      this.#all.delete(connection)
      const at = this.#idle.indexOf(connection)
      if (at !== -1) this.#idle.splice(at, 1)
    },
  }

  constructor(origin: URL, timing: ConnectionTiming) {
    this.#origin = origin
    this.#timing = timing
  }

  /** A GET has no body: ''. Returns what closes the connection at once; `answer` hears no more then. Throws TypeError where a header holds more than text. */
  request(method: 'GET' | 'POST', path: string, headers: Readonly<Record<string, string>>, body: string, answer: Answer): () => void {
    const length = method === 'GET' ? {} : { 'content-length': String(Buffer.byteLength(body)) }
    const lines = Object.entries({ host: this.#origin.host, ...headers, ...length })
    for (const [name, value] of lines) if (!headerText.test(value)) throw new TypeError(`header ${name} holds more than text`)
    const connection = this.#takeIdle() ?? this.#open()
    connection.send(`${method} ${path} HTTP/1.1\r\n${lines.map(([name, value]) => `${name}: ${value}\r\n`).join('')}\r\n${body}`, answer)
    return () => connection.abort(answer)
  }

  /** Closes every connection, and so aborts every request. */
  close(): void {
    for (const connection of this.#all) connection.close()
  }

  #takeIdle(): Connection | undefined {
    for (;;) {
      const connection = this.#idle.pop()
      if (connection === undefined || connection.isOpen) return connection
    }
  }

  #open(): Connection {
    const connection = new Connection(this.#origin, this.#timing.connectMs, this.#events)
    this.#all.add(connection)
    return connection
  }
}
