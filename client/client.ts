/**
 * The client of ChatterBot, for browsers and Node. Everything a page needs is exported here.
 *
 *     const client = createClient({ url: 'wss://chat.example.org/ws', token: () => fetchToken() })
 *     const conversation = await client.createConversation()
 *     for await (const text of conversation.send('What is light?')) show(text)
 */
import { ChatError } from '../protocol/errors.ts'
import type { Load, Pace } from '../protocol/websocket/fields.ts'
import { limits } from '../protocol/websocket/limits.ts'
import type { ReplyOf, ServerMessage } from '../protocol/websocket/messages.ts'
import { defaultSubprotocol, type Subprotocol } from '../protocol/websocket/subprotocols.ts'
import { ClientClosedError } from './client-errors.ts'
import { newClientId } from './client-id.ts'
import { Connection, type ConnectionOwner, type ConnectionState } from './connection.ts'
import { Conversation } from './conversation.ts'
import { Emitter } from './emitter.ts'
import { Requests } from './requests.ts'
import type { WebSocketConstructor } from './websocket.ts'

export { ChatError } from '../protocol/errors.ts'
export { ClientClosedError, ServerError } from './client-errors.ts'
export type { ConnectionState } from './connection.ts'
export type { Conversation, ConversationEvent, ConversationEvents, SendOptions } from './conversation.ts'
export type { ChatMessage, ConversationState, LiveTurn, OutboxMessage, ReplyDetails } from './conversation-state.ts'
export type { SentTurn } from './sent-turn.ts'
export type { WebSocketConstructor, WebSocketLike } from './websocket.ts'

export interface ClientOptions {
  /** For instance wss://chat.example.org/ws. */
  readonly url: string
  /** JSON unless said otherwise; MessagePack is smaller on the wire. */
  readonly subprotocol?: Subprotocol
  /** Credentials, or a function that gets them: called for every connection, and before they expire. */
  readonly token?: string | (() => string | Promise<string>)
  /**
   * Gets a single-use ticket (`POST /tickets`) for each connection, in place of a token: for pages whose credentials stay
   * with a server of their own.
   */
  readonly ticket?: () => string | Promise<string>
  /** Whom to act for, where the credentials allow it; who you are, where the server's mode of authentication is none. */
  readonly userId?: string
  /**
   * How the text of replies comes: as it is written (`live`), or at once before their end (`whole`), which costs a server
   * least. Left out: live, but whole for as long as the server advises clients to come back later.
   */
  readonly pace?: Pace
  /** Name and version of your program, for the server's log. */
  readonly clientName?: string
  /** That of the platform unless given. Node has one from version 22; before, pass that of undici. */
  readonly WebSocket?: WebSocketConstructor
  /** Limits of the waits before reconnecting: the first, and the longest. */
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number }
  readonly pingIntervalMs?: number
  /** The connection counts as lost after this silence, of which at least one ping went unanswered. */
  readonly silenceMs?: number
}

export interface ConversationSummary {
  readonly id: number
  readonly title: string | null
  readonly model: string | null
  /** ISO 8601. */
  readonly createdAt: string
  readonly updatedAt: string
}

export interface ClientEvents {
  readonly state: ConnectionState
  readonly welcome: ReplyOf<'hello'>
  readonly load: Load
  /** An error of the connection that was survived, or ended it for good (then `state` is closed). */
  readonly error: ChatError
}

export function createClient(options: ClientOptions): ChatClient {
  const WebSocket = options.WebSocket ?? (globalThis as { WebSocket?: WebSocketConstructor }).WebSocket
  if (WebSocket === undefined) throw new TypeError('This platform has no WebSocket: pass one in the options.')
  return new ChatClient({ ...options, WebSocket })
}

export class ChatClient {
  readonly #options: ClientOptions
  readonly #connection: Connection
  readonly #requests: Requests
  readonly #emitter = new Emitter<ClientEvents>()
  readonly #conversations = new Map<number, Conversation>()
  readonly #backoff: { readonly baseMs: number; readonly maxMs: number }
  #connecting: Promise<void> | null = null
  #error: ChatError | null = null
  #welcome: ReplyOf<'hello'> | null = null
  #load: Load | null = null
  /** Of the connection there is, as it was asked for last. */
  #pace: Pace = 'live'
  #isConnected = false

  constructor(options: ClientOptions & { readonly WebSocket: WebSocketConstructor }) {
    const { url, WebSocket, token, ticket, userId, clientName, subprotocol = defaultSubprotocol, pingIntervalMs = limits.pingIntervalMs, silenceMs = limits.silenceMs } = options
    this.#options = options
    this.#backoff = options.backoff ?? { baseMs: 500, maxMs: 30_000 }
    this.#requests = new Requests(this.#backoff)
    const hello = async () => ({
      ...(token === undefined ? {} : { token: typeof token === 'function' ? await token() : token }),
      ...(userId === undefined ? {} : { user_id: userId }),
      ...(clientName === undefined ? {} : { client: clientName }),
    })
    this.#connection = new Connection({ url, subprotocol, WebSocket, hello, ticket, pingIntervalMs, silenceMs, backoff: this.#backoff, credentialsAreRenewable: typeof token === 'function' || ticket !== undefined }, this.#connectionOwner())
  }

  get state(): ConnectionState {
    return this.#connection.state
  }

  /** Why the client closed by itself; null while it has not. */
  get error(): ChatError | null {
    return this.#error
  }

  /** Who the server takes the client for, and what limits hold: of the latest connection; null before the first. */
  get welcome(): ReplyOf<'hello'> | null {
    return this.#welcome
  }

  /** How busy the server is, as it told last. */
  get load(): Load | null {
    return this.#load
  }

  /** How the text of replies comes at present. */
  get pace(): Pace {
    return this.#pace
  }

  /** Resolves with the first welcome. Rejects where the server refuses for good. The client connects by itself with its first use. */
  connect(): Promise<void> {
    if (this.state === 'closed') return Promise.reject(this.#error ?? new ClientClosedError())
    this.#connecting ??= new Promise<void>((resolve, reject) => {
      const stop = this.#emitter.on('state', (state) => {
        stop()
        if (state === 'open') resolve()
        else reject(this.#error ?? new ClientClosedError())
      })
      this.#connection.start()
    })
    this.#connecting.catch(() => {})
    return this.#connecting
  }

  /** Reconnects at once where it waits to: for a page that was woken, or is online again. */
  wake(): void {
    this.#connection.wake()
  }

  /** For good. Whatever is unanswered rejects with ClientClosedError. */
  close(): void {
    this.#connection.close()
  }

  on<Name extends keyof ClientEvents>(name: Name, listener: (event: ClientEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener)
  }

  /** Creates a conversation, once however often it has to be asked for, and opens it. */
  async createConversation(options: { readonly title?: string; readonly model?: string; readonly system?: string } = {}): Promise<Conversation> {
    this.#start()
    const { conversation_id } = await this.#requests.request({ type: 'conversation.create', client_conversation_id: newClientId(), ...options })
    return this.openConversation(conversation_id)
  }

  /** A page of the user's conversations, most recently used first. `before`: the last of the page before. */
  async listConversations(options: { readonly before?: number; readonly limit?: number } = {}): Promise<{ readonly conversations: readonly ConversationSummary[]; readonly hasMore: boolean }> {
    this.#start()
    const { conversations, has_more } = await this.#requests.request({ type: 'conversation.list', ...options })
    return {
      conversations: conversations.map(({ conversation_id, title, model, created_at, updated_at }) => ({ id: conversation_id, title, model: model ?? null, createdAt: created_at, updatedAt: updated_at })),
      hasMore: has_more,
    }
  }

  /** Gives a conversation another title, of 1 to 200 characters. Rejects with ChatError. */
  async renameConversation(conversationId: number, title: string): Promise<void> {
    this.#start()
    await this.#requests.request({ type: 'conversation.rename', conversation_id: conversationId, title })
  }

  /** Deletes a conversation and all that it holds, for everyone and for good. Resolves also where it is not there any more. */
  async deleteConversation(conversationId: number): Promise<void> {
    this.#start()
    try {
      const deleted = await this.#requests.request({ type: 'conversation.delete', conversation_id: conversationId })
      // Also where it is not open yet on this connection, and so hears of nothing.
      this.#conversations.get(conversationId)?.receive({ type: deleted.type, conversation_id: conversationId })
    } catch (error) {
      if (!(error instanceof ChatError && error.code === 'conversation_not_found')) throw error
    }
  }

  /** The conversation, kept up to date until it is closed. The same one for the same id. */
  openConversation(conversationId: number): Conversation {
    this.#start()
    const held = this.#conversations.get(conversationId)
    if (held !== undefined) return held
    const conversation = new Conversation(conversationId, {
      requests: this.#requests,
      backoff: this.#backoff,
      rename: (title) => this.renameConversation(conversationId, title),
      delete: () => this.deleteConversation(conversationId),
      closed: () => this.#conversations.delete(conversationId),
    })
    if (this.state === 'closed') {
      conversation.clientClosed(this.#error ?? new ClientClosedError())
      return conversation
    }
    this.#conversations.set(conversationId, conversation)
    if (this.#isConnected) conversation.connected()
    return conversation
  }

  #start(): void {
    void this.connect().catch(() => {})
  }

  #connectionOwner(): ConnectionOwner {
    return {
      connected: (welcome) => {
        this.#isConnected = true
        this.#welcome = welcome
        this.#requests.connected((command) => this.#connection.send(command), welcome.limits.unanswered_commands)
        this.#pace = 'live'
        this.#load = welcome.load
        this.#choosePace()
        for (const conversation of this.#conversations.values()) conversation.connected()
        this.#emitter.emit('welcome', welcome)
        this.#setLoad(welcome.load)
      },
      disconnected: () => {
        this.#isConnected = false
        this.#requests.disconnected()
        for (const conversation of this.#conversations.values()) conversation.disconnected()
      },
      message: (message) => this.#receive(message),
      stateChanged: (state, error) => {
        this.#error = error
        if (state === 'closed') {
          const reason = error ?? new ClientClosedError()
          for (const conversation of this.#conversations.values()) conversation.clientClosed(reason)
          this.#conversations.clear()
          this.#requests.close(reason)
        }
        this.#emitter.emit('state', state)
        if (state === 'closed') this.#emitter.clear()
      },
      failed: (error) => this.#emitter.emit('error', error),
    }
  }

  #receive(message: ServerMessage): void {
    if (this.#requests.receive(message)) return
    switch (message.type) {
      case 'message.added':
      case 'conversation.updated':
      case 'conversation.deleted':
      case 'turn.queued':
      case 'turn.started':
        return this.#conversations.get(message.conversation_id)?.receive(message)
      case 'turn.delta':
      case 'turn.finished':
      case 'turn.failed':
        for (const conversation of this.#conversations.values()) if (conversation.holdsTurn(message.turn_id)) return conversation.receive(message)
        return
      case 'conversation.closed':
        return this.#conversations.get(message.conversation_id)?.moved()
      case 'auth.expiring':
        return void this.#refresh()
      case 'server.load':
        return this.#setLoad(message)
      // Answers to commands; a drain is the connection's affair.
      default:
    }
  }

  #setLoad({ level, queue_depth, eta_ms, advice }: Load): void {
    this.#load = { level, queue_depth, eta_ms, advice }
    this.#choosePace()
    this.#emitter.emit('load', this.#load)
  }

  /** A server that does not know of it refuses, and sends text as it is written. */
  #choosePace(): void {
    const pace = this.#options.pace ?? (this.#load?.advice === 'async' ? 'whole' : 'live')
    if (pace === this.#pace) return
    this.#pace = pace
    this.#requests.ask({ type: 'pace.set', pace }, { bound: true }, () => {}, () => {})
  }

  /** New credentials for the connection there is. Without them the server closes it, and the next one gets new ones. */
  async #refresh(): Promise<void> {
    const { token, ticket } = this.#options
    if (ticket !== undefined) return this.#connection.renew()
    if (typeof token !== 'function') return
    try {
      await this.#requests.request({ type: 'auth.refresh', token: await token() }, { bound: true })
    } catch {
      // Told by the close that follows.
    }
  }
}
