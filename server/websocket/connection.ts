/**
 * One socket's way out. A reply leaves with the events that follow it in the same turn of the event loop, as one write.
 * While it holds bytes that the network has not taken it is blocked: subscriptions wait with their positions, and replies
 * wait here, at most as many as commands may be unanswered. So what a slow client costs is what one flush had for it, and
 * those replies.
 */
import type { WebSocket } from 'uWebSockets.js'
import { encodeServerMessage } from '../../protocol/websocket/codec.ts'
import type { CloseCode } from '../../protocol/websocket/close-codes.ts'
import type { ServerMessage } from '../../protocol/websocket/messages.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import type { ClientConnection } from '../../actors/conversation-service.ts'

export interface ConnectionOwner {
  /** Milliseconds that never go back. */
  monotonic(): number
  /** The connection holds unsent bytes from now on. */
  blocked(): void
  /** Everything was taken, the waiting replies too. */
  unblocked(): void
  sentFrame(): void
}

interface Waiting {
  readonly frame: string | Uint8Array
  readonly sent: (() => void) | undefined
}

export class Connection implements ClientConnection {
  readonly subprotocol: Subprotocol
  readonly #owner: ConnectionOwner
  /** Null once closed: any call on a closed one throws. */
  #socket: WebSocket<unknown> | null
  #blocked = false
  #waiting: Waiting[] = []
  #unsentBytes = 0
  #progressAt = 0
  #resuming: NodeJS.Immediate | undefined
  #replying: NodeJS.Immediate | undefined
  #corked = false

  constructor(socket: WebSocket<unknown>, subprotocol: Subprotocol, owner: ConnectionOwner) {
    this.#socket = socket
    this.subprotocol = subprotocol
    this.#owner = owner
  }

  get isOpen(): boolean {
    return this.#socket !== null
  }

  get writable(): boolean {
    return !this.#blocked && this.#socket !== null
  }

  send(frame: string | Uint8Array): void {
    if (this.#waiting.length > 0 && this.writable && !this.#corked) return this.cork(() => this.#write(frame))
    this.#write(frame)
  }

  #write(frame: string | Uint8Array): void {
    const socket = this.#socket
    if (socket === null) return
    this.#owner.sentFrame()
    const status = socket.send(frame, typeof frame !== 'string')
    if (status === 0) this.#block(socket)
    // Dropped, which the limit of unsent bytes makes impossible unless somebody sends while blocked.
    else if (status === 2) this.fellBehind()
  }

  /** Sends the reply before whatever is sent next, within a cork at once, else at the end of this turn of the event loop; or keeps it until the connection is writable. `sent` is called once it is on its way. */
  reply(message: ServerMessage, sent?: () => void): void {
    if (this.#socket === null) return
    this.#waiting.push({ frame: encodeServerMessage(this.subprotocol, message), sent })
    if (this.#blocked) return
    if (this.#corked) return this.#sendReplies()
    this.#replying ??= setImmediate(() => {
      this.#replying = undefined
      this.#sendReplies()
    })
  }

  /** All but the newest `but`, as long as the network takes them. */
  #sendReplies(but = 0): void {
    while (this.writable && this.#waiting.length > but) {
      const { frame, sent } = this.#waiting.shift() as Waiting
      this.#write(frame)
      sent?.()
    }
  }

  fellBehind(): void {
    this.close(4430, 'too_slow')
  }

  /** Several sends as one write, the newest reply that waits among them: of many large ones nobody would know when to stop. */
  cork(work: () => void): void {
    this.#sendReplies(1)
    if (this.#socket === null) return
    const wasCorked = this.#corked
    let failure: { readonly error: unknown } | null = null as { readonly error: unknown } | null
    this.#socket.cork(() => {
      this.#corked = true
      try {
        this.#sendReplies()
        work()
      } catch (error) {
        // The library would abort the process.
        failure = { error }
      }
      this.#corked = wasCorked
    })
    this.checkUnsent()
    if (failure !== null) throw failure.error
  }

  /** Within a cork a send tells nothing, so that what is left unsent is asked for afterwards. */
  checkUnsent(): void {
    const socket = this.#socket
    if (socket !== null && !this.#blocked && socket.getBufferedAmount() > 0) this.#block(socket)
  }

  /**
   * The network took something. What waits is sent in a later turn of the event loop: what is sent within this handler
   * of the library and not taken at once is never tried again.
   */
  drained(): void {
    const socket = this.#socket
    if (socket === null || !this.#blocked) return
    if (socket.getBufferedAmount() > 0) return this.#noteProgress(socket)
    this.#resuming ??= setImmediate(() => this.#resume())
  }

  /** How long, in milliseconds, the network has taken nothing of what is unsent. */
  stalledMs(): number {
    const socket = this.#socket
    if (socket === null || !this.#blocked) return 0
    if (socket.getBufferedAmount() < this.#unsentBytes) this.#noteProgress(socket)
    return this.#owner.monotonic() - this.#progressAt
  }

  close(code: CloseCode, reason: string): void {
    this.#sendReplies()
    const socket = this.#socket
    this.closed()
    socket?.end(code, reason)
  }

  /** The socket is gone. */
  closed(): void {
    this.#socket = null
    clearImmediate(this.#resuming)
    clearImmediate(this.#replying)
    this.#waiting = []
  }

  #block(socket: WebSocket<unknown>): void {
    if (this.#blocked) {
      this.#unsentBytes = socket.getBufferedAmount()
      return
    }
    this.#blocked = true
    this.#noteProgress(socket)
    this.#owner.blocked()
  }

  #resume(): void {
    this.#resuming = undefined
    if (this.#socket === null) return
    this.#blocked = false
    this.#sendReplies()
    if (this.writable) this.#owner.unblocked()
  }

  #noteProgress(socket: WebSocket<unknown>): void {
    this.#unsentBytes = socket.getBufferedAmount()
    this.#progressAt = this.#owner.monotonic()
  }
}
