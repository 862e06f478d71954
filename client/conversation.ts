/** One conversation that a client has open: its state, kept up to date, and what a user can do in it. */
import { ChatError } from '../protocol/errors.ts'
import type { ConversationDeleted } from '../protocol/websocket/commands/conversation-delete.ts'
import type { Params } from '../protocol/websocket/fields.ts'
import type { Command, ReplyOf, ServerEvent } from '../protocol/websocket/messages.ts'
import { ClientClosedError } from './client-errors.ts'
import { cursorOf, emptyConversation, findMessage, fromWire, type ConversationState } from './conversation-state.ts'
import { findTurn, reduce, type ConversationMessage } from './conversation-reducer.ts'
import { ConversationSending } from './conversation-sending.ts'
import { Emitter } from './emitter.ts'
import { EventStream } from './event-stream.ts'
import { newClientId } from './client-id.ts'
import { ConnectionLostError, type Requests } from './requests.ts'
import type { SentTurn } from './sent-turn.ts'
import { backoffMs } from './waits.ts'

export interface SendOptions {
  /** The message to go on from; null: a new root. Left out: the newest message. */
  readonly parentId?: number | null
  readonly model?: string
  readonly params?: Params
  /** Your own idempotency key, at most 64 characters. Left out, the client makes one. */
  readonly clientMessageId?: string
}

/** Events of one conversation, by their type in the protocol; `change` comes after each change of the state. */
export type ConversationEvents = { readonly [Type in ConversationEvent['type']]: Extract<ConversationEvent, { type: Type }> } & { readonly change: ConversationState }
export type ConversationEvent = Exclude<ServerEvent, { type: 'auth.expiring' | 'server.load' | 'server.draining' }>

export interface ConversationPort {
  readonly requests: Requests
  readonly backoff: { readonly baseMs: number; readonly maxMs: number }
  rename(title: string): Promise<void>
  delete(): Promise<void>
  /** The conversation needs nothing more: its user is done with it, or it cannot be opened. */
  closed(conversation: Conversation): void
}

/** Times the conversation is opened anew from its cursor before the copy is dropped instead. */
const reopenings = 2
const olderPage = 100

export class Conversation {
  readonly id: number
  /** Resolves when it is open for the first time. Rejects where it cannot be: see `snapshot().error`. */
  readonly opened: Promise<void>
  readonly #port: ConversationPort
  readonly #emitter = new Emitter<ConversationEvents>()
  readonly #streams = new Set<EventStream<ConversationEvent>>()
  readonly #sending: ConversationSending
  /** Accepted, and under way. */
  readonly #turns = new Set<SentTurn>()
  #state: ConversationState
  #resolveOpened: () => void = () => {}
  #rejectOpened: (error: Error) => void = () => {}
  #connected = false
  /** Which request to open counts: those before it have been overtaken. */
  #opening = 0
  #failures = 0
  #retry: ReturnType<typeof setTimeout> | undefined
  #loading: Promise<boolean> | null = null

  constructor(id: number, port: ConversationPort) {
    this.id = id
    this.#port = port
    this.#state = emptyConversation(id)
    this.#sending = new ConversationSending({
      conversationId: id,
      requests: port.requests,
      state: this.snapshot,
      set: (state) => this.#set(state),
      accepted: (turn, reply) => {
        this.#turns.add(turn)
        this.#apply(reply)
      },
      stop: (turnId) => this.stop(turnId),
    })
    this.opened = new Promise((resolve, reject) => {
      this.#resolveOpened = resolve
      this.#rejectOpened = reject
    })
    this.opened.catch(() => {})
  }

  // What is shown ------------------------------------------------------------------------------------------------

  /** The state, immutable: the same object until something changes, as React's useSyncExternalStore wants it. */
  readonly snapshot = (): ConversationState => this.#state

  /** Calls the listener after each change. Returns the function that stops it. */
  readonly subscribe = (listener: () => void): (() => void) => this.#emitter.on('change', listener)

  on<Name extends keyof ConversationEvents>(name: Name, listener: (event: ConversationEvents[Name]) => void): () => void {
    return this.#emitter.on(name, listener)
  }

  /**
   * Events from now on, as they come over the wire: what a reconnect brings is in the state alone. Ends when the
   * conversation is closed; throws ChatError `too_slow` where 1,024 wait unread.
   */
  events(): AsyncIterableIterator<ConversationEvent> {
    const stream = new EventStream<ConversationEvent>(() => this.#streams.delete(stream))
    this.#streams.add(stream)
    if (this.#state.status === 'closed') stream.end(null)
    return stream
  }

  // What a user does ---------------------------------------------------------------------------------------------

  /** Sends a message. It is shown at once, and sent again after every reconnect until it is answered. Throws ChatError where the text cannot be a message. */
  send(text: string, options: SendOptions = {}): SentTurn {
    const { parentId, model, params, clientMessageId = newClientId() } = options
    return this.#sending.begin(
      { kind: 'send', text, parentId },
      {
        type: 'message.send',
        conversation_id: this.id,
        client_message_id: clientMessageId,
        text,
        ...(parentId === undefined ? {} : { parent_id: parentId }),
        ...(model === undefined ? {} : { model }),
        ...(params === undefined ? {} : { params }),
      },
    )
  }

  /** Says a message of the user anew, as a branch beside it. */
  edit(messageId: number, text: string): SentTurn {
    const parentId = findMessage(this.#state.messages, messageId)?.parentId ?? null
    return this.#sending.begin({ kind: 'edit', text, parentId }, { type: 'message.edit', conversation_id: this.id, message_id: messageId, client_message_id: newClientId(), text })
  }

  /** Asks for another reply. `messageId`: a reply, or the message that it answers. */
  regenerate(messageId: number): SentTurn {
    const message = findMessage(this.#state.messages, messageId)
    const parentId = message?.role === 'assistant' ? message.parentId : messageId
    return this.#sending.begin({ kind: 'regenerate', text: '', parentId }, { type: 'turn.regenerate', conversation_id: this.id, message_id: messageId, client_message_id: newClientId() })
  }

  /** Sends a failed entry of the outbox again, under its key. Throws ChatError `message_not_found` where there is none. */
  retry(clientMessageId: string): SentTurn {
    return this.#sending.retry(clientMessageId)
  }

  /** Takes a failed entry out of the outbox. */
  discard(clientMessageId: string): void {
    this.#sending.discard(clientMessageId)
  }

  /** Ends a turn, or that which runs, with the text it has. Resolves once the server has taken note, or it had ended. */
  async stop(turnId: string | undefined = this.#state.turns[0]?.turnId): Promise<void> {
    if (turnId === undefined) return
    try {
      await this.#request({ type: 'turn.stop', turn_id: turnId })
    } catch (error) {
      if (!(error instanceof ChatError && error.code === 'turn_not_found')) throw error
    }
  }

  /** Gives it another title, of 1 to 200 characters. Rejects with ChatError. */
  rename(title: string): Promise<void> {
    return this.#port.rename(title)
  }

  /** Deletes it and all that it holds, for everyone and for good. Its status is `failed` then, as on every other device. */
  delete(): Promise<void> {
    return this.#port.delete()
  }

  /** Loads the page of messages before the oldest held. Resolves to whether there are older ones still. */
  loadOlder(): Promise<boolean> {
    this.#loading ??= this.#loadOlder().finally(() => {
      this.#loading = null
    })
    return this.#loading
  }

  /** Ends the view: of what is unanswered nothing is heard any more. Turns go on at the server. */
  close(): void {
    if (this.#state.status === 'closed') return
    if (this.#connected) this.#port.requests.ask({ type: 'conversation.close', conversation_id: this.id }, { bound: true }, () => {}, () => {})
    this.#end(new ClientClosedError())
    this.#port.closed(this)
  }

  // What the client tells ----------------------------------------------------------------------------------------

  /** A connection is up, on which nothing is open yet. */
  connected(): void {
    this.#connected = true
    this.#failures = 0
    this.#open(cursorOf(this.#state))
  }

  disconnected(): void {
    this.#connected = false
    this.#opening += 1
    clearTimeout(this.#retry)
    if (this.#state.status === 'open') this.#set({ ...this.#state, status: 'opening' })
  }

  holdsTurn(turnId: string): boolean {
    return findTurn(this.#state, turnId) !== undefined
  }

  receive(event: ConversationEvent): void {
    if (event.type === 'conversation.deleted') return this.#deleted(event)
    // Before it is open on this connection, what comes belongs to an opening that was given up.
    if (this.#state.status !== 'open') return
    const before = this.#state
    this.#apply(event)
    // What changes nothing was known: text that overlaps, news of the day before.
    if (this.#state === before) return
    if (this.#state.desynced) return before.desynced ? undefined : this.#reopen()
    if (event.type === 'turn.delta') this.#failures = 0
    this.#emitter.emit(event.type, event)
    for (const stream of this.#streams) stream.push(event)
  }

  /** The server let go of the conversation: another holds it now. */
  moved(): void {
    if (this.#state.status === 'open') this.#reopen()
  }

  clientClosed(error: Error): void {
    this.#end(error)
  }

  // Opening ------------------------------------------------------------------------------------------------------

  #open(cursor: ReturnType<typeof cursorOf>): void {
    if (this.#state.status === 'closed' || this.#state.status === 'failed') return
    const opening = ++this.#opening
    const { requests, backoff } = this.#port
    requests.ask(
      { type: 'conversation.open', conversation_id: this.id, ...(cursor === undefined ? {} : { cursor }) },
      { bound: true },
      (reply) => {
        if (opening !== this.#opening) return
        this.#apply(reply, cursor !== undefined)
        if (this.#state.desynced) return this.#reopen()
        requests.conversationOpened(this.id)
        this.#resolveOpened()
      },
      (error) => {
        if (opening !== this.#opening || error instanceof ConnectionLostError || error instanceof ClientClosedError) return
        const { retryable } = (error as ChatError).definition
        if (!retryable) return this.#failForGood(error as ChatError)
        this.#failures += 1
        this.#retry = setTimeout(() => this.#open(cursorOf(this.#state)), backoffMs(this.#failures, backoff))
      },
    )
  }

  /** Something was missed: from the cursor at first, and without one where that does not help. */
  #reopen(): void {
    const failures = this.#failures++
    const open = (): void => this.#open(failures < reopenings ? cursorOf(this.#state) : undefined)
    if (failures === 0) return open()
    this.#retry = setTimeout(open, backoffMs(failures, this.#port.backoff))
  }

  #deleted(event: ConversationDeleted): void {
    if (this.#state.status === 'closed' || this.#state.status === 'failed') return
    this.#state = emptyConversation(this.id)
    this.#failForGood(new ChatError('conversation_not_found', 'The conversation was deleted.'))
    this.#emitter.emit(event.type, event)
    for (const stream of this.#streams) {
      stream.push(event)
      stream.end(null)
    }
  }

  #failForGood(error: ChatError): void {
    this.#opening += 1
    clearTimeout(this.#retry)
    this.#set({ ...this.#state, status: 'failed', error })
    this.#rejectOpened(error)
    this.#abandon(error)
    this.#port.closed(this)
  }

  #end(error: Error): void {
    this.#opening += 1
    this.#connected = false
    clearTimeout(this.#retry)
    this.#set({ ...this.#state, status: 'closed', error: error instanceof ChatError ? error : null })
    this.#rejectOpened(error)
    this.#abandon(error)
    for (const stream of this.#streams) stream.end(null)
    this.#emitter.clear()
  }

  #abandon(error: Error): void {
    this.#port.requests.conversationClosed(this.id)
    this.#port.requests.abandon(this.id, error)
    this.#sending.abandon(error)
    for (const turn of this.#turns) turn.fail(error)
    this.#turns.clear()
  }

  // State --------------------------------------------------------------------------------------------------------

  #apply(message: ConversationMessage, hadCursor = false): void {
    this.#set(reduce(this.#state, message, { now: new Date().toISOString(), hadCursor }))
  }

  #set(state: ConversationState): void {
    if (state === this.#state) return
    const hadOutbox = this.#state.outbox
    this.#state = state
    if (state.outbox.length < hadOutbox.length) this.#sending.forgetArrived(state)
    for (const turn of this.#turns) {
      const progress = turn.advance(state)
      if (progress === 'under way') continue
      this.#turns.delete(turn)
      if (progress === 'missing') void this.#fetchReply(turn)
    }
    this.#emitter.emit('change', state)
  }

  /** The reply of a turn that ended while this client was away, and is beyond the page it got on its return. */
  async #fetchReply(turn: SentTurn): Promise<void> {
    try {
      const { messages } = await this.#request({ type: 'history.get', conversation_id: this.id, before: (turn.replyMessageId ?? 0) + 1, limit: 1 })
      const reply = messages.find(({ message_id }) => message_id === turn.replyMessageId)
      if (reply === undefined) turn.fail(new ChatError('message_not_found'))
      else turn.end(fromWire(reply))
    } catch (error) {
      turn.fail(error as Error)
    }
  }

  async #loadOlder(): Promise<boolean> {
    const before = this.#state.messages[0]?.id
    if (before === undefined || !this.#state.hasOlder) return false
    const history = await this.#request({ type: 'history.get', conversation_id: this.id, before, limit: olderPage })
    // The copy may have been dropped and begun anew meanwhile: then this page is not the one before it.
    if (this.#state.messages[0]?.id === before) this.#apply(history)
    return this.#state.hasOlder
  }

  #request<C extends Command>(command: C): Promise<ReplyOf<C['type']>> {
    if (this.#state.status === 'closed') return Promise.reject(new ClientClosedError())
    return this.#port.requests.request(command, { within: this.id })
  }
}
