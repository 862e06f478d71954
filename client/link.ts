/**
 * One WebSocket, from dialling to its end: connecting, greeting (hello is on its way), ready, and closed, which comes
 * exactly once. Whatever is told after `closed` is not passed on.
 */
import { ChatError } from '../protocol/errors.ts'
import type { Command, CommandOf, ReplyOf, ServerMessage } from '../protocol/websocket/messages.ts'
import { decodeServerMessage, encodeCommand } from '../protocol/websocket/client-codec.ts'
import { defaultSubprotocol, subprotocols, type Subprotocol } from '../protocol/websocket/subprotocols.ts'
import { ServerError } from './client-errors.ts'
import type { WebSocketConstructor, WebSocketLike } from './websocket.ts'

export interface LinkOptions {
  readonly url: string
  readonly subprotocol: Subprotocol
  readonly WebSocket: WebSocketConstructor
  readonly hello: () => Promise<Omit<CommandOf<'hello'>, 'type' | 'ref'>>
  /** Gets a ticket, which goes into the address. */
  readonly ticket: (() => string | Promise<string>) | undefined
  readonly pingIntervalMs: number
  readonly silenceMs: number
}

export interface LinkOwner {
  ready(link: Link, welcome: ReplyOf<'hello'>): void
  /** Every message after the welcome, but pongs. */
  message(link: Link, message: ServerMessage): void
  /** `code`: the close code; 1006 where there was none. `error`: what the server said before it closed, if it did. */
  closed(link: Link, code: number, error: ChatError | null): void
}

/** For token, dialling, TLS and welcome together. */
const dialTimeoutMs = 30_000

/** The hello's ref; others are made by Requests, and differ. */
const helloRef = 'hello'

export class Link {
  readonly #options: LinkOptions
  readonly #owner: LinkOwner
  #socket: WebSocketLike | null = null
  #stage: 'connecting' | 'greeting' | 'ready' | 'closed' = 'connecting'
  #subprotocol: Subprotocol = defaultSubprotocol
  #error: ChatError | null = null
  /** Until the welcome: when to give up. Then: when to ping. */
  #timer: ReturnType<typeof setTimeout> | undefined
  /** When to give up, as a ping has no answer. */
  #silence: ReturnType<typeof setTimeout> | undefined

  constructor(options: LinkOptions, owner: LinkOwner) {
    this.#options = options
    this.#owner = owner
    this.#timer = setTimeout(() => this.#end(1006), dialTimeoutMs)
    void this.#dial()
  }

  /** False once the link has closed: then the command was not sent. */
  send(command: Command): boolean {
    if (this.#stage !== 'ready' && this.#stage !== 'greeting') return false
    try {
      this.#socket?.send(encodeCommand(this.#subprotocol, command) as string | Uint8Array<ArrayBuffer>)
      return true
    } catch {
      // A socket on its way to being closed throws; its close event follows.
      return false
    }
  }

  /** The owner hears nothing more of it. */
  close(code = 1000): void {
    if (this.#stage === 'closed') return
    this.#release()
    this.#closeSocket(code)
  }

  async #dial(): Promise<void> {
    const { WebSocket, url, subprotocol, ticket } = this.#options
    let hello: Omit<CommandOf<'hello'>, 'type' | 'ref'>
    let address = url
    try {
      // Credentials first: they may have to be fetched, and the server waits only a while for hello.
      hello = await this.#options.hello()
      if (ticket !== undefined) address = withTicket(url, await ticket())
    } catch (error) {
      this.#error = new ChatError('unauthenticated', 'No credentials could be had.', { cause: error })
      return this.#end(1006)
    }
    if (this.#stage === 'closed') return
    let socket: WebSocketLike
    try {
      socket = new WebSocket(address, [subprotocol])
    } catch (error) {
      this.#error = new ChatError('invalid_field', 'The url is none of a WebSocket.', { cause: error })
      return this.#end(1000)
    }
    this.#socket = socket
    socket.binaryType = 'arraybuffer'
    socket.onopen = () => {
      this.#subprotocol = subprotocols.find((name) => name === socket.protocol) ?? defaultSubprotocol
      this.#stage = 'greeting'
      this.send({ type: 'hello', ref: helloRef, ...hello })
    }
    socket.onmessage = (event: { data: unknown }) => this.#receive(event.data)
    socket.onclose = (event: { code: number }) => this.#end(event.code)
    // The close event that follows every error says all there is to know.
    socket.onerror = () => {}
  }

  #receive(data: unknown): void {
    clearTimeout(this.#silence)
    this.#silence = undefined
    let message: ServerMessage | null
    try {
      message = decodeServerMessage(this.#subprotocol, data instanceof ArrayBuffer ? new Uint8Array(data) : (data as string))
    } catch (error) {
      this.#error = error as ChatError
      return this.#end(4400, 4400)
    }
    if (message === null || message.type === 'pong') return
    if (message.type === 'error' && (message.ref === undefined || message.ref === helloRef)) {
      this.#error = new ServerError(message)
      const { closeCode, retryable } = this.#error.definition
      // A hello that was refused leaves some connections open: dial anew later, if that may help.
      if (message.ref === helloRef) this.#end(closeCode ?? (retryable ? 1013 : 4403))
      return
    }
    if (this.#stage === 'greeting' && message.type === 'welcome') {
      this.#stage = 'ready'
      this.#ping()
      return this.#owner.ready(this, message)
    }
    if (this.#stage === 'ready') this.#owner.message(this, message)
  }

  /** From time to time a ping; without any answer to it in time, the connection counts as lost. */
  #ping(): void {
    clearTimeout(this.#timer)
    const { pingIntervalMs, silenceMs } = this.#options
    this.#timer = setTimeout(() => {
      this.send({ type: 'ping' })
      this.#silence ??= setTimeout(() => this.#end(1006, 1000), silenceMs - pingIntervalMs)
      this.#ping()
    }, pingIntervalMs)
  }

  /** `close`: the code to close the socket with, where it is not closed already. */
  #end(code: number, close = 1000): void {
    if (this.#stage === 'closed') return
    this.#release()
    this.#closeSocket(close)
    this.#owner.closed(this, code, this.#error)
  }

  #release(): void {
    this.#stage = 'closed'
    clearTimeout(this.#timer)
    clearTimeout(this.#silence)
  }

  #closeSocket(code: number): void {
    const socket = this.#socket
    if (socket === null) return
    socket.onopen = null
    socket.onmessage = null
    socket.onclose = null
    // Without a listener some implementations throw the errors of a dying socket.
    socket.onerror = () => {}
    try {
      socket.close(code)
    } catch {
      // Closing a socket that is closed already, or with a code that this implementation does not allow.
    }
  }
}

function withTicket(url: string, ticket: string): string {
  const address = new URL(url)
  address.searchParams.set('ticket', ticket)
  return address.href
}
