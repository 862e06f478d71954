/** A ConversationService that does what a test says, and otherwise answers at once. */
import { ChatError } from '../../protocol/errors.ts'
import type { Pace } from '../../protocol/websocket/fields.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import { encodeServerMessage } from '../../protocol/websocket/codec.ts'
import type { ClientConnection, ConversationService, Subscription } from '../../actors/conversation-service.ts'

const createdAt = '2026-01-01T00:00:00.000Z'
export const turnId = '0192f0c1-2345-7abc-8def-0123456789ab'

/** One open conversation of one connection: it sends what is told here while the connection is writable, and the rest when it is pumped. */
export class ScriptedSubscription implements Subscription {
  readonly conversationId: number
  readonly connection: ClientConnection
  readonly moved: () => void
  started = false
  closed = false
  readonly #due: ServerEvent[] = []

  constructor(conversationId: number, connection: ClientConnection, moved: () => void) {
    this.conversationId = conversationId
    this.connection = connection
    this.moved = moved
  }

  start(): void {
    this.started = true
    this.pump()
  }

  pump(): void {
    while (this.started && !this.closed && this.connection.writable) {
      const event = this.#due.shift()
      if (event === undefined) return
      this.connection.send(encodeServerMessage(this.connection.subprotocol, event))
    }
  }

  /** As it was set last. */
  pace: Pace = 'live'

  setPace(pace: Pace): void {
    this.pace = pace
  }

  close(): void {
    this.closed = true
  }

  tell(event: ServerEvent): void {
    this.#due.push(event)
    this.pump()
  }

  get due(): number {
    return this.#due.length
  }
}

export interface ScriptedService extends ConversationService {
  readonly subscriptions: ScriptedSubscription[]
}

export function scriptedService(script: Partial<ConversationService> = {}): ScriptedService {
  const subscriptions: ScriptedSubscription[] = []
  const accepted = (conversationId: number, clientMessageId: string) =>
    ({ type: 'message.accepted', client_message_id: clientMessageId, conversation_id: conversationId, message_id: 2048, parent_id: null, turn_id: turnId, reply_message_id: 3072, state: 'queued', duplicate: false }) as const
  return {
    subscriptions,
    create: async (_, command) => ({ type: 'conversation.created', conversation_id: 1024, title: command.title ?? null, created_at: createdAt }),
    draw: async () => ({ conversationId: 1024, token: { epoch: 1, node: 'edge', bootId: 'boot' } }),
    begin: async (_, __, ___, command) => accepted(command.conversation_id, command.client_message_id),
    list: async () => ({ type: 'conversations', conversations: [], has_more: false }),
    history: async (_, command) => ({ type: 'history', conversation_id: command.conversation_id, messages: [], has_more: false }),
    open: async (_, command, connection, onMoved) => {
      // Conversations of the owner alone can be opened: here, ids above a million are somebody else's.
      if (command.conversation_id > 1_000_000) throw new ChatError('conversation_not_found')
      const subscription = new ScriptedSubscription(command.conversation_id, connection, onMoved)
      subscriptions.push(subscription)
      return { opened: { type: 'conversation.opened', conversation_id: command.conversation_id, title: null, messages: [], active_leaf: null, has_more: false, reset: false, turns: [] }, subscription }
    },
    send: async (_, command) => accepted(command.conversation_id, command.client_message_id),
    edit: async (_, command) => accepted(command.conversation_id, command.client_message_id),
    regenerate: async (_, command) => accepted(command.conversation_id, command.client_message_id),
    follow: async () => null,
    turn: async () => {
      throw new ChatError('turn_not_found')
    },
    stopUnheard: async () => null,
    conversation: async () => {
      throw new ChatError('conversation_not_found')
    },
    ownerOf: async () => null,
    rename: async (_, command) => ({ type: 'conversation.renamed', conversation_id: command.conversation_id, title: command.title, updated_at: createdAt }),
    delete: async (_, command) => ({ type: 'conversation.deleted', conversation_id: command.conversation_id }),
    export: async () => noMessages(),
    stop: async (_, command) => ({ type: 'turn.stopped', turn_id: command.turn_id }),
    load: () => ({ queue_depth: 0, eta_ms: 0 }),
    ...script,
  }
}

async function* noMessages(): AsyncGenerator<never, void, undefined> {
  // There are none.
}
