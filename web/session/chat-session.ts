import { ChatError, type ChatClient, type Conversation } from '../../client/client.ts'
import { ConversationList } from './conversation-list.ts'
import { Drafts, type DraftField } from './drafts.ts'
import { NewConversation } from './new-conversation.ts'
import { Observable } from './observable.ts'
import { conversationOf, hashOf } from './route.ts'
import { clientMessageIdOf, ThreadProjection } from './shown-messages.ts'
import { spokenError } from './spoken-errors.ts'
import { isUnfinished, type ConnectionView, type ShownMessage, type ThreadView } from './views.ts'

/** The browser's address, as far as it names a conversation. */
export interface Address {
  hash(): string
  /** Adds a step to the history; `changed` is called. */
  goTo(hash: string): void
  /** Changes the current step; `changed` is not called. */
  replace(hash: string): void
  onChange(changed: () => void): void
}

/** Conversations that stay open while others are shown: turning back to them shows them at once. */
const openConversations = 8

/** What one reader does on the page: the conversation that is shown, what is said in it, and which of its branches are chosen. */
export class ChatSession {
  readonly connection: Observable<ConnectionView>
  readonly load = new Observable<'normal' | 'busy' | 'overloaded'>('normal')
  readonly thread: Observable<ThreadView>
  /** Why something could not be done, for a moment. */
  readonly notice = new Observable<string | null>(null)
  readonly list: ConversationList
  readonly #client: ChatClient
  readonly #address: Address
  readonly #drafts = new Drafts()
  readonly #open: { readonly conversation: Conversation; readonly stop: () => void }[] = []
  #visit = 0
  #conversation: Conversation | null = null
  #new: NewConversation | null = null
  #projection = new ThreadProjection()
  /** See ThreadProjection: a message whose newest descendant ends the shown path. */
  #chosen: number | null = null
  #loadingOlder = false

  constructor(client: ChatClient, address: Address) {
    this.#client = client
    this.#address = address
    this.connection = new Observable<ConnectionView>({ kind: 'connecting' })
    this.list = new ConversationList(client)
    this.thread = new Observable<ThreadView>({ visit: 0, conversationId: null, title: null, status: 'ready', messages: [], olderMessages: 'none' })
    client.on('state', (state) => {
      this.connection.set(state === 'closed' ? { kind: 'closed', reason: client.error?.message ?? 'The connection was closed.', code: client.error?.code ?? null } : { kind: state })
    })
    client.on('load', ({ level }) => this.load.set(level))
    client.on('welcome', () => this.list.refresh())
    address.onChange(() => this.#follow())
    this.#follow()
    void client.connect().catch(() => {
      // Told by the state.
    })
  }

  // Conversations ------------------------------------------------------------------------------------------------

  /** Turns to a conversation; null: to a new one. */
  visit(conversationId: number | null): void {
    if (this.#address.hash() !== hashOf(conversationId)) this.#address.goTo(hashOf(conversationId))
    else this.#show(conversationId)
  }

  /** Rejects with what can be told to people. */
  async rename(conversationId: number, title: string): Promise<void> {
    await this.#client.renameConversation(conversationId, title).catch(tellable)
    this.list.retitle(conversationId, title)
  }

  /** For good. As `rename`. Who was reading it turns to a new conversation. */
  async delete(conversationId: number): Promise<void> {
    const isShown = this.#conversation?.id === conversationId
    await this.#client.deleteConversation(conversationId).catch(tellable)
    this.#forget(conversationId)
    if (isShown && this.#conversation?.id === conversationId) this.visit(null)
  }

  loadOlder(): void {
    if (this.#loadingOlder || this.#conversation === null) return
    this.#loadingOlder = true
    this.#render()
    const done = (): void => {
      this.#loadingOlder = false
      this.#render()
    }
    // What went wrong is tried again when the reader comes near the place again.
    this.#conversation.loadOlder().then(done, done)
  }

  // Messages -----------------------------------------------------------------------------------------------------

  send(text: string): void {
    const said = text.replaceAll('\0', '').toWellFormed().trim()
    if (said === '') return
    this.#attempt(text, () => {
      const conversation = this.#conversation
      if (conversation === null) return this.#sendFirst(said)
      const state = conversation.snapshot()
      const parentId = state.outbox.length > 0 ? undefined : this.#projection.parentForSend(state, this.#chosen)
      conversation.send(said, parentId === undefined ? {} : { parentId })
      this.list.touch(conversation.id, state.title)
    })
  }

  /** Says a message anew, as a branch beside it, which is shown then. */
  edit(key: string, text: string): void {
    const id = this.#find(key)?.id ?? null
    const said = text.replaceAll('\0', '').toWellFormed().trim()
    if (this.#conversation === null || id === null || said === '') return
    const conversation = this.#conversation
    this.#attempt(null, () => {
      // The new branch will be the newest below the parent that it shares.
      this.#chosen = conversation.snapshot().messages.find((message) => message.id === id)?.parentId ?? null
      conversation.edit(id, said)
    })
  }

  /** Asks for another reply, as a branch beside the one there is. */
  regenerate(key: string): void {
    const id = this.#find(key)?.id ?? null
    if (this.#conversation === null || id === null) return
    const conversation = this.#conversation
    this.#attempt(null, () => {
      const reply = conversation.snapshot().messages.find((message) => message.id === id)
      this.#chosen = reply?.parentId ?? id
      conversation.regenerate(id)
    })
  }

  /** Ends a reply that is under way: that of this key, or that which runs on the shown path. */
  stop(key?: string): void {
    const unfinished = this.thread.get().messages.filter((message) => isUnfinished(message.state) && (key === undefined || message.key === key))
    const turnId = (unfinished.find(({ state }) => state.kind !== 'waiting') ?? unfinished[0])?.turnId
    if (turnId === undefined || turnId === null) return
    this.#conversation?.stop(turnId).catch((error: Error) => this.notice.set(error.message))
  }

  /** Sends what was refused again. */
  retry(key: string): void {
    if (this.#new !== null) return this.#new.retry()
    const conversation = this.#conversation
    if (conversation !== null) this.#attempt(null, () => conversation.retry(clientMessageIdOf(key)))
  }

  discard(key: string): void {
    if (this.#new !== null) return this.visit(null)
    const conversation = this.#conversation
    if (conversation !== null) this.#attempt(null, () => conversation.discard(clientMessageIdOf(key)))
  }

  /** Shows the branch that a message is on. */
  choose(messageId: number): void {
    this.#chosen = messageId
    this.#render()
  }

  /** The field that says what was begun, which each conversation keeps. Answers how to take the field away. */
  attachDraft(field: DraftField): () => void {
    return this.#drafts.attach(this.#draftKey(), field)
  }

  #draftKey(): number | null {
    return this.#conversation?.id ?? null
  }

  #attempt(draft: string | null, action: () => void): void {
    try {
      action()
      this.notice.set(null)
    } catch (error) {
      this.notice.set(error instanceof ChatError ? spokenError(error.toPublic()).message : (error as Error).message)
      if (draft !== null) this.#drafts.restore(draft)
    }
  }

  #find(key: string): ShownMessage | undefined {
    return this.thread.get().messages.find((message) => message.key === key)
  }

  // A conversation is made when the first thing is said in it.
  #sendFirst(text: string): void {
    const visit = this.#visit
    this.#new ??= new NewConversation(this.#client, {
      changed: () => {
        if (this.#visit === visit) this.#render()
      },
      created: (conversation) => {
        this.list.touch(conversation.id, null)
        this.#keepOpen(conversation)
        if (this.#visit !== visit) return
        this.#new = null
        this.#conversation = conversation
        this.#address.replace(hashOf(conversation.id))
        this.#render()
      },
    })
    this.#new.say(text)
  }

  // What is shown ------------------------------------------------------------------------------------------------

  #follow(): void {
    this.#show(conversationOf(this.#address.hash()))
  }

  #show(conversationId: number | null): void {
    this.#drafts.keep(this.#draftKey())
    this.#visit += 1
    this.#new = null
    this.#chosen = null
    this.#loadingOlder = false
    this.#projection = new ThreadProjection()
    this.#conversation = conversationId === null ? null : this.#client.openConversation(conversationId)
    if (this.#conversation !== null) this.#keepOpen(this.#conversation)
    this.notice.set(null)
    this.#render()
  }

  /** Follows the conversation, and closes the one that was not turned to for the longest time. */
  #keepOpen(conversation: Conversation): void {
    const known = this.#open.findIndex((other) => other.conversation === conversation)
    const [entry] = known < 0 ? [{ conversation, stop: conversation.subscribe(() => this.#changed(conversation)) }] : this.#open.splice(known, 1)
    if (entry !== undefined) this.#open.push(entry)
    if (this.#open.length <= openConversations) return
    // What was said without a connection is lost with its conversation, so others go first.
    const idle = this.#open.findIndex((other) => other.conversation.snapshot().outbox.length === 0)
    const [closed] = this.#open.splice(idle === this.#open.length - 1 ? 0 : Math.max(idle, 0), 1)
    closed?.stop()
    closed?.conversation.close()
  }

  /** It was deleted, here or elsewhere. */
  #forget(conversationId: number): void {
    this.list.remove(conversationId)
    const at = this.#open.findIndex(({ conversation }) => conversation.id === conversationId)
    if (at >= 0) this.#open.splice(at, 1)[0]?.stop()
  }

  #changed(conversation: Conversation): void {
    const { title, error } = conversation.snapshot()
    this.list.retitle(conversation.id, title)
    if (error?.code === 'conversation_not_found') this.#forget(conversation.id)
    if (conversation === this.#conversation) this.#render()
  }

  #render(): void {
    this.thread.set(this.#conversation === null ? this.#newThread() : this.#threadOf(this.#conversation))
  }

  #newThread(): ThreadView {
    const messages = this.#new === null ? [] : this.#projection.project(this.#new.held(), null)
    return { visit: this.#visit, conversationId: null, title: null, status: 'ready', messages, olderMessages: 'none' }
  }

  #threadOf(conversation: Conversation): ThreadView {
    const state = conversation.snapshot()
    const messages = this.#projection.project(state, this.#chosen)
    const unknown = state.status === 'opening' && messages.length === 0
    return {
      visit: this.#visit,
      conversationId: conversation.id,
      title: state.title ?? this.list.titleOf(conversation.id),
      status: state.status === 'failed' ? 'missing' : unknown ? 'opening' : 'ready',
      messages,
      olderMessages: this.#loadingOlder ? 'loading' : state.hasOlder ? 'more' : 'none',
    }
  }
}

function tellable(error: Error): never {
  throw error instanceof ChatError ? new Error(spokenError(error.toPublic()).message, { cause: error }) : error
}
