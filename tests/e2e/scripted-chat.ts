/** Conversations in memory whose replies a test writes, word by word. It stands behind a real edge, and outlives it, as a database would. */
import { setTimeout as delay } from 'node:timers/promises'
import { ChatError } from '../../protocol/errors.ts'
import type { Message, TurnError } from '../../protocol/websocket/fields.ts'
import type { TurnSnapshot } from '../../protocol/websocket/commands/conversation-open.ts'
import type { ReplyOf, ServerEvent } from '../../protocol/websocket/messages.ts'
import { ScriptedSubscription, scriptedService, type ScriptedService } from '../../server/testing/scripted-service.ts'

interface StoredConversation {
  readonly id: number
  readonly userId: string
  title: string | null
  updatedAt: string
  readonly messages: Message[]
  readonly turns: ScriptedTurn[]
}

const waitingTurns = 4

export class ScriptedChat {
  readonly service: ScriptedService
  readonly #conversations: StoredConversation[] = []
  readonly #subscriptions = new Set<ScriptedSubscription>()
  readonly #begun: ScriptedTurn[] = []
  readonly #waiting: ((turn: ScriptedTurn) => void)[] = []
  readonly #answers = new Map<string, ReplyOf<'message.send'>>()
  #lastId = 1000
  /** What the next send is refused with. */
  refuseNext: ChatError | null = null

  constructor() {
    this.service = scriptedService({
      create: async (userId, { title = null }) => {
        const conversation = this.#create(userId, title)
        return { type: 'conversation.created', conversation_id: conversation.id, title, created_at: conversation.updatedAt }
      },
      list: async (userId, { before, limit = 50 }) => this.#list(userId, before, limit),
      history: async (_, { conversation_id, before = Infinity, limit = 50 }) => {
        const older = this.#find(conversation_id).messages.filter(({ message_id }) => message_id < before)
        return { type: 'history', conversation_id, messages: older.slice(-limit), has_more: older.length > limit }
      },
      open: async (userId, { conversation_id, cursor }, connection, onMoved) => {
        const conversation = this.#conversations.find(({ id }) => id === conversation_id)
        if (conversation?.userId !== userId) throw new ChatError('conversation_not_found')
        const subscription = new ScriptedSubscription(conversation_id, connection, onMoved)
        this.#subscriptions.add(subscription)
        return { opened: openedOf(conversation, cursor), subscription }
      },
      send: async (_, { conversation_id, client_message_id, text, parent_id }) => {
        const conversation = this.#find(conversation_id)
        return this.#accept(conversation, client_message_id, text, parent_id === undefined ? newestOf(conversation) : parent_id)
      },
      edit: async (_, { conversation_id, client_message_id, message_id, text }) => {
        const conversation = this.#find(conversation_id)
        const edited = conversation.messages.find((message) => message.message_id === message_id)
        if (edited === undefined) throw new ChatError('message_not_found')
        return this.#accept(conversation, client_message_id, text, edited.parent_id)
      },
      regenerate: async (_, { conversation_id, client_message_id, message_id }) => {
        const conversation = this.#find(conversation_id)
        const message = conversation.messages.find((other) => other.message_id === message_id)
        const question = message?.role === 'assistant' ? message.parent_id : message_id
        if (question === null) throw new ChatError('not_editable')
        return this.#answer(client_message_id, () => this.#begin(conversation, client_message_id, question, message?.parent_id ?? null))
      },
      rename: async (_, { conversation_id, title }) => {
        const conversation = this.#find(conversation_id)
        conversation.title = title
        const facts = { conversation_id, title, updated_at: conversation.updatedAt }
        this.tell(conversation_id, { type: 'conversation.updated', ...facts })
        return { type: 'conversation.renamed', ...facts }
      },
      delete: async (_, { conversation_id }) => {
        this.#conversations.splice(this.#conversations.indexOf(this.#find(conversation_id)), 1)
        this.tell(conversation_id, { type: 'conversation.deleted', conversation_id })
        for (const subscription of this.#subscriptions) if (subscription.conversationId === conversation_id && !subscription.closed) subscription.moved()
        return { type: 'conversation.deleted', conversation_id }
      },
      stop: async (_, { turn_id }) => {
        const turn = this.#conversations.flatMap(({ turns }) => turns).find(({ turnId }) => turnId === turn_id)
        if (turn === undefined) throw new ChatError('turn_not_found')
        turn.end('stopped')
        return { type: 'turn.stopped', turn_id }
      },
    })
  }

  /** The next turn that a reader begins, or has begun, and that may run. */
  nextTurn(): Promise<ScriptedTurn> {
    const turn = this.#begun.shift()
    return turn === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(turn)
  }

  /** A conversation from before, of user, reply, user, reply and so on. Answers its id. */
  store(userId: string, title: string, texts: readonly string[], updatedAt = new Date().toISOString()): number {
    const conversation = this.#create(userId, title)
    for (const [at, content] of texts.entries()) {
      const isReply = at % 2 === 1
      conversation.messages.push({
        message_id: this.#nextId(),
        role: isReply ? 'assistant' : 'user',
        content,
        parent_id: newestOf(conversation),
        turn_id: null,
        created_at: updatedAt,
        ...(isReply ? { reason: 'stop', model: 'chatterbot-small' } : {}),
      })
    }
    conversation.updatedAt = updatedAt
    return conversation.id
  }

  tell(conversationId: number, event: ServerEvent): void {
    for (const subscription of this.#subscriptions) {
      if (subscription.closed) this.#subscriptions.delete(subscription)
      else if (subscription.conversationId === conversationId) subscription.tell(event)
    }
  }

  /** The reply is stored, and the next one that waits may run. */
  ended(conversation: StoredConversation, turn: ScriptedTurn, reply: Message, event: ServerEvent): void {
    conversation.messages.push(reply)
    const at = conversation.turns.indexOf(turn)
    conversation.turns.splice(at, 1)
    this.tell(conversation.id, event)
    const next = conversation.turns[0]
    if (at === 0 && next !== undefined) this.#run(next)
  }

  #create(userId: string, title: string | null): StoredConversation {
    const conversation = { id: this.#nextId(), userId, title, updatedAt: new Date().toISOString(), messages: [], turns: [] }
    this.#conversations.push(conversation)
    return conversation
  }

  #find(id: number): StoredConversation {
    const conversation = this.#conversations.find((other) => other.id === id)
    if (conversation === undefined) throw new ChatError('conversation_not_found')
    return conversation
  }

  #list(userId: string, before: number | undefined, limit: number): ReplyOf<'conversation.list'> {
    const own = this.#conversations.filter((conversation) => conversation.userId === userId).sort((one, other) => (one.updatedAt < other.updatedAt ? 1 : -1))
    const from = before === undefined ? 0 : own.findIndex(({ id }) => id === before) + 1
    const page = own.slice(from, from + limit)
    return {
      type: 'conversations',
      conversations: page.map(({ id, title, updatedAt }) => ({ conversation_id: id, title, created_at: updatedAt, updated_at: updatedAt })),
      has_more: from + limit < own.length,
    }
  }

  #accept(conversation: StoredConversation, clientMessageId: string, text: string, parentId: number | null): ReplyOf<'message.send'> {
    return this.#answer(clientMessageId, () => {
      const refusal = this.refuseNext
      this.refuseNext = null
      if (refusal !== null) throw refusal
      if (conversation.turns.length > waitingTurns) throw new ChatError('busy')
      const message: Message = { message_id: this.#nextId(), role: 'user', content: text, parent_id: parentId, turn_id: null, client_message_id: clientMessageId, created_at: new Date().toISOString() }
      conversation.messages.push(message)
      conversation.updatedAt = message.created_at
      this.tell(conversation.id, { type: 'message.added', conversation_id: conversation.id, message })
      if (conversation.title === null) {
        conversation.title = text.slice(0, 60)
        this.tell(conversation.id, { type: 'conversation.updated', conversation_id: conversation.id, title: conversation.title, updated_at: message.created_at })
      }
      return this.#begin(conversation, clientMessageId, message.message_id, parentId)
    })
  }

  #answer(clientMessageId: string, accept: () => ReplyOf<'message.send'>): ReplyOf<'message.send'> {
    const known = this.#answers.get(clientMessageId)
    if (known !== undefined) return { ...known, duplicate: true }
    const answer = accept()
    this.#answers.set(clientMessageId, answer)
    return answer
  }

  #begin(conversation: StoredConversation, clientMessageId: string, userMessageId: number, parentId: number | null): ReplyOf<'message.send'> {
    const messageId = this.#nextId()
    const turn = new ScriptedTurn(this, conversation, userMessageId, messageId)
    conversation.turns.push(turn)
    if (conversation.turns.length === 1) this.#run(turn)
    else turn.wait()
    return {
      type: 'message.accepted',
      client_message_id: clientMessageId,
      conversation_id: conversation.id,
      message_id: userMessageId,
      parent_id: parentId,
      turn_id: turn.turnId,
      reply_message_id: messageId,
      state: conversation.turns.length === 1 ? 'queued' : 'waiting',
      duplicate: false,
    }
  }

  #run(turn: ScriptedTurn): void {
    turn.queue(0, 0)
    const waiting = this.#waiting.shift()
    if (waiting === undefined) this.#begun.push(turn)
    else waiting(turn)
  }

  #nextId(): number {
    this.#lastId += 1
    return this.#lastId
  }
}

let turns = 0

export class ScriptedTurn {
  readonly turnId: string
  /** What the reply answers. */
  readonly question: string
  readonly #chat: ScriptedChat
  readonly #conversation: StoredConversation
  readonly #userMessageId: number
  readonly #messageId: number
  #text = ''
  #state: TurnSnapshot['state'] = 'queued'

  constructor(chat: ScriptedChat, conversation: StoredConversation, userMessageId: number, messageId: number) {
    turns += 1
    this.turnId = `0192f0c1-2345-7abc-8def-${String(turns).padStart(12, '0')}`
    this.#chat = chat
    this.#conversation = conversation
    this.#userMessageId = userMessageId
    this.#messageId = messageId
    this.question = conversation.messages.find(({ message_id }) => message_id === userMessageId)?.content ?? ''
  }

  wait(): void {
    this.#state = 'waiting'
    this.#tellQueued(null, null)
  }

  queue(position: number, etaMs: number): void {
    this.#state = 'queued'
    this.#tellQueued(position, etaMs)
  }

  say(text: string): void {
    if (this.#state !== 'running') {
      this.#state = 'running'
      this.#tell({ type: 'turn.started', ...this.#names(), attempt: 1, model: 'chatterbot-small' })
    }
    const offset = this.#text.length
    this.#text += text
    this.#tell({ type: 'turn.delta', turn_id: this.turnId, attempt: 1, offset, end: this.#text.length, text })
  }

  /** Says it in pieces of a few characters, as a model would. Ends early where the reader stops it. */
  async stream(text: string, everyMs = 4): Promise<void> {
    for (const piece of text.match(/[\s\S]{1,7}/g) ?? []) {
      if (!this.#conversation.turns.includes(this)) return
      this.say(piece)
      await delay(everyMs)
    }
  }

  end(reason: 'stop' | 'length' | 'stopped' = 'stop'): void {
    const model = this.#state === 'running' ? 'chatterbot-small' : null
    this.#chat.ended(this.#conversation, this, this.#reply({ reason, ...(model === null ? {} : { model }) }), {
      type: 'turn.finished',
      turn_id: this.turnId,
      attempt: 1,
      message_id: this.#messageId,
      reason,
      end: this.#text.length,
      usage: null,
      timing: { queue_ms: 0, ttft_ms: null, total_ms: 0 },
      model,
      cached: false,
      cost_usd: null,
    })
  }

  fail(error: TurnError): void {
    this.#chat.ended(this.#conversation, this, this.#reply({ reason: 'failed', error }), {
      type: 'turn.failed',
      turn_id: this.turnId,
      attempt: 1,
      message_id: this.#messageId,
      end: this.#text.length,
      error,
    })
  }

  snapshot(known: number): TurnSnapshot {
    return {
      turn_id: this.turnId,
      user_message_id: this.#userMessageId,
      message_id: this.#messageId,
      attempt: 1,
      offset: known,
      end: this.#text.length,
      text: this.#text.slice(known),
      state: this.#state,
    }
  }

  get userMessageId(): number {
    return this.#userMessageId
  }

  #reply(end: Partial<Message>): Message {
    return { message_id: this.#messageId, role: 'assistant', content: this.#text, parent_id: this.#userMessageId, turn_id: this.turnId, created_at: new Date().toISOString(), ...end }
  }

  #tellQueued(position: number | null, etaMs: number | null): void {
    this.#tell({ type: 'turn.queued', ...this.#names(), position, eta_ms: etaMs })
  }

  #names() {
    return { conversation_id: this.#conversation.id, turn_id: this.turnId, user_message_id: this.#userMessageId, message_id: this.#messageId }
  }

  #tell(event: ServerEvent): void {
    this.#chat.tell(this.#conversation.id, event)
  }
}

/** The newest message, or the reply that is under way. */
function newestOf({ messages, turns: live }: StoredConversation): number | null {
  const ids = [...messages.map(({ message_id }) => message_id), ...live.map((turn) => turn.snapshot(0).message_id)]
  return ids.length === 0 ? null : Math.max(...ids)
}

const firstPage = 40

function openedOf(conversation: StoredConversation, cursor: { message_id?: number; turn_id?: string; offset?: number } | undefined): ReplyOf<'conversation.open'> {
  const turn = conversation.messages.find(({ turn_id, role }) => role === 'assistant' && turn_id === cursor?.turn_id)
  const above = cursor === undefined ? 0 : Math.min(cursor.message_id ?? 0, turn?.parent_id ?? Infinity)
  const messages = conversation.messages.filter(({ message_id }) => message_id > above)
  return {
    type: 'conversation.opened',
    conversation_id: conversation.id,
    title: conversation.title,
    messages: messages.slice(-firstPage),
    active_leaf: newestOf(conversation),
    has_more: messages.length > firstPage,
    reset: false,
    turns: conversation.turns.map((live) => live.snapshot(live.turnId === cursor?.turn_id ? (cursor.offset ?? 0) : 0)),
  }
}
