/**
 * What a client holds of one conversation: immutable, and changed by pure functions alone (conversation-reducer.ts for
 * what the server says, conversation-outbox.ts for what the user does). An unchanged part keeps its identity, so that a
 * view can compare by reference.
 */
import type { ChatError } from '../protocol/errors.ts'
import type { Cursor } from '../protocol/websocket/commands/conversation-open.ts'
import type { FinishReason, Message, Role, Timing, TurnError, TurnState, Usage } from '../protocol/websocket/fields.ts'

/** A stored message. `parentId` makes a tree of them; children of one parent are branches. */
export interface ChatMessage {
  readonly id: number
  /** null: a root. */
  readonly parentId: number | null
  readonly role: Role
  /** Of a reply: as far as it came. */
  readonly text: string
  readonly turnId: string | null
  /** Of a message of the user: the key under which it was sent, and so of the optimistic message before. */
  readonly clientMessageId?: string
  /** ISO 8601. */
  readonly createdAt: string
  /** Of a reply: how it ended. */
  readonly reason?: FinishReason | 'failed'
  readonly error?: TurnError
  readonly model?: string
  readonly attempt?: number
  /** Of a reply that ended while this client watched. */
  readonly details?: ReplyDetails
}

export interface ReplyDetails {
  readonly usage: Usage | null
  readonly timing: Timing
  readonly cached: boolean
  readonly costUsd: number | null
}

/** A turn that has not ended. Its reply becomes a message under `replyMessageId` when it has. */
export interface LiveTurn {
  readonly turnId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly state: TurnState
  readonly attempt: number
  readonly text: string
  /** Where `text` ends, as the server counts it. */
  readonly end: number
  readonly model: string | null
  /** Turns ahead; null where that is not known. */
  readonly position: number | null
  readonly etaMs: number | null
}

/** Something the user did that the server has not accepted yet, or has refused. */
export interface OutboxMessage {
  readonly clientMessageId: string
  readonly kind: 'send' | 'edit' | 'regenerate'
  /** Empty for regenerate. */
  readonly text: string
  /** Where it is to hang in the tree; undefined: below the newest message. */
  readonly parentId: number | null | undefined
  readonly state: 'pending' | 'failed'
  /** Why it failed. Where it is retryable, sending it again may help. While it is pending: why it was refused for now. */
  readonly error: ChatError | null
  /** When a pending one that was refused for now is sent again. */
  readonly heldUntil: string | null
  readonly createdAt: string
}

export interface ConversationState {
  readonly conversationId: number
  /** `opening`: not yet, or not since the connection was lost; what is held stays shown. `failed`: for good, see `error`. */
  readonly status: 'opening' | 'open' | 'failed' | 'closed'
  readonly error: ChatError | null
  readonly title: string | null
  /** By rising id: all branches. */
  readonly messages: readonly ChatMessage[]
  /** Whether older messages can be loaded. */
  readonly hasOlder: boolean
  /** In the order in which they run. */
  readonly turns: readonly LiveTurn[]
  readonly outbox: readonly OutboxMessage[]
  /** The highest message id up to which nothing is missing: all ids that came in the server's own order. */
  readonly newestSeen: number | null
  /** Something was missed: events are void until the conversation is opened again. */
  readonly desynced: boolean
}

/** Messages held of a conversation. Beyond it the oldest are dropped, and can be loaded again. */
export const heldMessages = 2000

export function emptyConversation(conversationId: number): ConversationState {
  return { conversationId, status: 'opening', error: null, title: null, messages: [], hasOlder: false, turns: [], outbox: [], newestSeen: null, desynced: false }
}

/** What to send with `conversation.open`; undefined where nothing is held. */
export function cursorOf(state: ConversationState): Cursor | undefined {
  // Not the first, which may be an edit that went before those that wait: the reply of each turn held is beyond the oldest one's message.
  const turn = state.turns.reduce<LiveTurn | undefined>((oldest, other) => (oldest === undefined || other.replyMessageId < oldest.replyMessageId ? other : oldest), undefined)
  if (state.newestSeen === null && turn === undefined) return undefined
  return {
    ...(state.newestSeen === null ? {} : { message_id: state.newestSeen }),
    ...(turn === undefined ? {} : { turn_id: turn.turnId, attempt: turn.attempt, offset: turn.end }),
  }
}

export function fromWire(message: Message): ChatMessage {
  return {
    id: message.message_id,
    parentId: message.parent_id,
    role: message.role,
    text: message.content,
    turnId: message.turn_id,
    createdAt: message.created_at,
    ...(message.client_message_id === undefined ? {} : { clientMessageId: message.client_message_id }),
    ...(message.reason === undefined ? {} : { reason: message.reason }),
    ...(message.error === undefined ? {} : { error: message.error }),
    ...(message.model === undefined ? {} : { model: message.model }),
    ...(message.attempt === undefined ? {} : { attempt: message.attempt }),
  }
}

export function findMessage(messages: readonly ChatMessage[], id: number): ChatMessage | undefined {
  const index = insertionIndex(messages, id)
  const found = messages[index]
  return found?.id === id ? found : undefined
}

/** Later ones win over held ones of the same id. */
export function mergeMessages(held: readonly ChatMessage[], added: readonly ChatMessage[]): readonly ChatMessage[] {
  if (added.length === 0) return held
  const newest = held.at(-1)
  const first = added[0] as ChatMessage
  if (added.length === 1 && (newest === undefined || first.id > newest.id)) return [...held, first]
  const byId = new Map(held.map((message) => [message.id, message]))
  for (const message of added) {
    const before = byId.get(message.id)
    byId.set(message.id, before?.details === undefined ? message : { ...message, details: before.details })
  }
  return [...byId.values()].sort((a, b) => a.id - b.id)
}

function insertionIndex(messages: readonly ChatMessage[], id: number): number {
  let low = 0
  let high = messages.length
  while (low < high) {
    const middle = (low + high) >>> 1
    if ((messages[middle] as ChatMessage).id < id) low = middle + 1
    else high = middle
  }
  return low
}
