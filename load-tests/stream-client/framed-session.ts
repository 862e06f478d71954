/** Sessions over a WebSocket, whatever is said in its text frames. */
import type { Session } from './session.ts'
import { WebSocketConnection } from './websocket-connection.ts'
import type { Server } from './wire.ts'

/** What the conversation partner of a connection has to tell. */
export interface Listener {
  send(frame: string): void
  /** The first questions may come. */
  ready(): void
  text(text: string): void
  end(): void
  fail(why: string): void
}

/** Of one connection. */
export interface FramedDialect {
  readonly path: string
  readonly subprotocol?: string
  /** Once the WebSocket is open. */
  begin(listener: Listener): void
  hear(frame: string, listener: Listener): void
  ask(question: string, listener: Listener): void
}

interface Exchange {
  readonly onText: (text: string) => void
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

class FramedSession implements Session {
  readonly #dialect: FramedDialect
  readonly #connection: WebSocketConnection
  #exchange: Exchange | null = null
  #closedBy: Error | null = null

  constructor(dialect: FramedDialect, connection: WebSocketConnection) {
    this.#dialect = dialect
    this.#connection = connection
  }

  get bytesRead(): number {
    return this.#connection.bytesRead
  }

  begun(): Promise<void> {
    return this.#wait(() => undefined, () => {
      this.#dialect.begin(this.#listener)
      this.#connection.listen(
        (frame) => this.#dialect.hear(frame, this.#listener),
        (error) => {
          this.#closedBy = error
          this.#listener.fail(error.message)
        },
      )
    })
  }

  ask(question: string, onText: (text: string) => void): Promise<void> {
    return this.#wait(onText, () => this.#dialect.ask(question, this.#listener))
  }

  leave(): void {
    this.#connection.leave()
  }

  #wait(onText: (text: string) => void, begin: () => void): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#closedBy !== null) return reject(this.#closedBy)
      this.#exchange = { onText, resolve, reject }
      begin()
    })
  }

  readonly #listener: Listener = {
    send: (frame) => this.#connection.send(frame),
    ready: () => this.#listener.end(),
    text: (text) => this.#exchange?.onText(text),
    end: () => {
      const exchange = this.#exchange
      this.#exchange = null
      exchange?.resolve()
    },
    fail: (why) => {
      const exchange = this.#exchange
      this.#exchange = null
      exchange?.reject(new Error(why))
    },
  }
}

export async function openFramed(dialect: FramedDialect, server: Server): Promise<Session> {
  const session = new FramedSession(dialect, await WebSocketConnection.open(server, dialect.path, dialect.subprotocol))
  try {
    await session.begun()
  } catch (error) {
    session.leave()
    throw error
  }
  return session
}
