/** The conversations that one connection has open. */
import { ChatError } from '../../protocol/errors.ts'
import type { Pace } from '../../protocol/websocket/fields.ts'
import type { CommandOf, ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationService, Subscription } from '../../actors/conversation-service.ts'
import type { Connection } from './connection.ts'

export interface OpenConversationsOptions {
  readonly service: ConversationService
  readonly connection: Connection
  readonly most: number
  /** A conversation that was open is no more this process's, and so is closed. */
  readonly onMoved: (conversationId: number) => void
}

export class OpenConversations {
  readonly #options: OpenConversationsOptions
  readonly #subscriptions = new Map<number, Subscription>()
  #pace: Pace = 'live'
  #closed = false

  constructor(options: OpenConversationsOptions) {
    this.#options = options
  }

  /** `start` is to be called when the reply is on its way. Not to be called again before it has resolved. */
  async open(userId: string, command: CommandOf<'conversation.open'>): Promise<{ readonly opened: ReplyOf<'conversation.open'>; readonly start: () => void }> {
    const { service, connection, most, onMoved } = this.#options
    const conversationId = command.conversation_id
    // Opened again: the client starts from its cursor, so nothing of the old view may follow.
    this.close(conversationId)
    if (this.#subscriptions.size >= most) throw new ChatError('too_many_conversations')
    let moved = false
    let held: Subscription | null = null
    const { opened, subscription } = await service.open(userId, command, connection, () => {
      moved = true
      if (held === null || this.#subscriptions.get(conversationId) !== held) return
      this.#subscriptions.delete(conversationId)
      onMoved(conversationId)
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
      if (!this.#options.connection.writable) return
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
