/**
 * A client that costs little, as it shares the machine with what it measures: JSON over a lean WebSocket, no reconnects, no
 * copies of conversations.
 */
import type { Command, ServerMessage } from '../../../protocol/websocket/messages.ts'
import { WebSocketConnection } from '../../stream-client/websocket-connection.ts'
import { loopback } from '../../stream-client/wire.ts'

/** A command without its ref. */
type Ask = Command extends infer Each ? (Each extends Command ? Omit<Each, 'ref'> : never) : never
type Reply = Extract<ServerMessage, { ref?: unknown }>

interface Waiter {
  readonly resolve: (reply: Reply) => void
  readonly reject: (error: Error) => void
}

export class LeanSocket {
  readonly userId: string
  /** The edge that answers. */
  node = ''
  /** What is no reply. */
  onEvent: (event: ServerMessage) => void = () => undefined
  onClosed: () => void = () => undefined
  readonly #connection: WebSocketConnection
  readonly #waiters = new Map<number, Waiter>()
  #nextRef = 1

  private constructor(connection: WebSocketConnection, userId: string) {
    this.#connection = connection
    this.userId = userId
    connection.listen(
      (frame) => this.#take(JSON.parse(frame) as ServerMessage),
      (error) => {
        for (const waiter of this.#waiters.values()) waiter.reject(error)
        this.#waiters.clear()
        this.onClosed()
      },
    )
  }

  /** Rejects where the server refuses. */
  static async open(port: number, userId: string): Promise<LeanSocket> {
    const client = new LeanSocket(await WebSocketConnection.open(loopback(port), '/ws', 'chatterbot.v1.json'), userId)
    const welcome = await client.ask({ type: 'hello', user_id: userId })
    if (welcome.type === 'welcome') client.node = welcome.node_id
    return client
  }

  /** Resolves with the reply; rejects where that is an error, or the connection ends before. */
  ask(command: Ask): Promise<Reply> {
    const ref = this.#nextRef++
    return new Promise((resolve, reject) => {
      this.#waiters.set(ref, { resolve, reject })
      this.#connection.send(JSON.stringify({ ...command, ref }))
    })
  }

  leave(): void {
    this.#connection.leave()
  }

  #take(message: ServerMessage): void {
    const ref = 'ref' in message ? Number(message.ref) : Number.NaN
    const waiter = this.#waiters.get(ref)
    if (waiter === undefined) return this.onEvent(message)
    this.#waiters.delete(ref)
    if (message.type === 'error') waiter.reject(new Error(`${message.code}: ${message.message}`))
    else waiter.resolve(message as Reply)
  }
}
