/** The conversations that one connection has open. */
import { ChatError } from '../../protocol/errors.ts'
import type { Pace } from '../../protocol/websocket/fields.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConnectionLimits } from '../../protocol/websocket/commands/hello.ts'
import type { ConversationService, Subscription } from '../../actors/conversation-service.ts'
import type { Connection } from './connection.ts'

/** Of the process: one for all its connections. */
export interface OpenConversationsContext {
  readonly service: Pick<ConversationService, 'open'>
  readonly limits: Pick<ConnectionLimits, 'open_conversations'>
}

export class OpenConversations {
  readonly #context: OpenConversationsContext
  readonly #connection: Connection
  readonly #subscriptions = new Map<number, Subscription>()
  #pace: Pace = 'live'
  #closed = false

  constructor(context: OpenConversationsContext, connection: Connection) {
    this.#context = context
    this.#connection = connection
  }

  /** `start` is to be called when the reply is on its way. Not to be called again before it has resolved. */
  async open(userId: string, command: CommandOf<'conversation.open'>): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly start: () => void }> {
    const { service, limits } = this.#context
    const conversationId = command.conversation_id
    // Opened again: the client starts from its cursor, so nothing of the old view may follow.
    this.close(conversationId)
    if (this.#subscriptions.size >= limits.open_conversations) throw new ChatError('too_many_conversations')
    let moved = false
    let held: Subscription | null = null
    const { opened, subscription } = await service.open(userId, command, this.#connection, () => {
      moved = true
      if (held === null || this.#subscriptions.get(conversationId) !== held) return
      this.#subscriptions.delete(conversationId)
      // It is no more this process's.
      this.#connection.reply({ type: 'conversation.closed', conversation_id: conversationId })
    })
    if (moved) throw new ChatError('moved')
    held = subscription
    subscription.setPace(this.#pace)
    if (this.#closed) subscription.close()
    else this.#subscriptions.set(conversationId, subscription)
    return { opened, start: () => subscription.start() }
  }

  /** False if it was not open. */
  close(conversationId: number): boolean {
    this.#subscriptions.get(conversationId)?.close()
    return this.#subscriptions.delete(conversationId)
  }

  /** The connection is writable again. */
  pump(): void {
    for (const subscription of this.#subscriptions.values()) {
      if (!this.#connection.writable) return
      subscription.pump()
    }
  }

  /** Of those that are open and will be. */
  setPace(pace: Pace): void {
    this.#pace = pace
    for (const subscription of this.#subscriptions.values()) subscription.setPace(pace)
  }

  closeAll(): void {
    this.#closed = true
    const all = [...this.#subscriptions.values()]
    this.#subscriptions.clear()
    for (const subscription of all) subscription.close()
  }
}
