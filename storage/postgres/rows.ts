/** What the statements return, and how it becomes what the store gives out. */
import type { Message, Params, Timing, TurnError, Usage } from '../../protocol/websocket/fields.ts'
import type { ConversationRow, StoredReply, StoredTurnState, TurnRow } from '../conversation-store.ts'

/** Of `conversations c`. */
export const conversationColumns = 'c.id, c.user_id, c.title, c.model, c.system, c.created_at, c.updated_at, c.last_message_id'

export interface StoredConversation {
  readonly [column: string]: unknown
  readonly id: number
  readonly user_id: string
  readonly title: string | null
  readonly model: string | null
  readonly system: string | null
  readonly created_at: Date
  readonly updated_at: Date
  readonly last_message_id: number | null
}

export function conversationFrom(row: StoredConversation): ConversationRow {
  return {
    conversationId: row.id,
    userId: row.user_id,
    title: row.title,
    model: row.model,
    system: row.system,
    createdAt: row.created_at.getTime(),
    updatedAt: row.updated_at.getTime(),
    lastMessageId: row.last_message_id,
  }
}

/** Of `turns t` joined with their `conversations c`. */
export const turnColumns = `t.id, t.conversation_id, c.user_id, t.client_message_id, t.user_message_id, t.parent_id, t.reply_message_id, t.state,
  t.attempt, t.run, t.bridge, t.barren_grants, t.lane, t.model, t.params, t.accepted_at, t.started_at, t.deadline_at, t.ended_at, t.command_hash`

export interface StoredTurn {
  readonly [column: string]: unknown
  readonly id: string
  readonly conversation_id: number
  readonly user_id: string
  readonly client_message_id: string
  readonly user_message_id: number
  readonly parent_id: number | null
  readonly reply_message_id: number
  readonly state: StoredTurnState
  readonly attempt: number
  readonly run: number
  readonly bridge: string | null
  readonly barren_grants: number
  readonly lane: TurnRow['lane']
  readonly model: string | null
  readonly params: Params
  readonly accepted_at: Date
  readonly started_at: Date | null
  readonly deadline_at: Date
  readonly ended_at: Date | null
  readonly command_hash: Uint8Array
}

export function turnFrom(row: StoredTurn): TurnRow {
  return {
    turnId: row.id,
    conversationId: row.conversation_id,
    userId: row.user_id,
    clientMessageId: row.client_message_id,
    userMessageId: row.user_message_id,
    parentId: row.parent_id,
    replyMessageId: row.reply_message_id,
    state: row.state,
    attempt: row.attempt,
    run: row.run,
    bridge: row.bridge,
    barrenGrants: row.barren_grants,
    lane: row.lane,
    model: row.model,
    params: row.params,
    acceptedAt: row.accepted_at.getTime(),
    startedAt: row.started_at?.getTime() ?? null,
    deadlineAt: row.deadline_at.getTime(),
  }
}

/** Of `messages m`. */
export const messageColumns = 'm.id, m.role, m.content, m.parent_id, m.turn_id, m.client_message_id, m.created_at, m.reason, m.error, m.model, m.attempt'

export interface StoredMessage {
  readonly [column: string]: unknown
  readonly id: number
  readonly role: Message['role']
  readonly content: string
  readonly parent_id: number | null
  readonly turn_id: string | null
  readonly client_message_id: string | null
  readonly created_at: Date
  readonly reason: NonNullable<Message['reason']> | null
  readonly error: TurnError | null
  readonly model: string | null
  readonly attempt: number | null
}

export function messageFrom(row: StoredMessage): Message {
  return {
    message_id: row.id,
    role: row.role,
    content: row.content,
    parent_id: row.parent_id,
    turn_id: row.turn_id,
    created_at: row.created_at.toISOString(),
    ...(row.client_message_id === null ? {} : { client_message_id: row.client_message_id }),
    ...(row.reason === null ? {} : { reason: row.reason }),
    ...(row.error === null ? {} : { error: row.error }),
    ...(row.model === null ? {} : { model: row.model }),
    ...(row.attempt === null ? {} : { attempt: row.attempt }),
  }
}

/** Of `messages m` that are replies. */
export const replyColumns = `${messageColumns}, m.usage, m.timing, m.cached, m.cost_usd`

export interface StoredReplyRow extends StoredMessage {
  readonly usage: Usage | null
  readonly timing: Timing
  readonly cached: boolean | null
  readonly cost_usd: number | null
}

export function replyFrom(row: StoredReplyRow): StoredReply {
  return { message: messageFrom(row), usage: row.usage, timing: row.timing, cached: row.cached ?? false, costUsd: row.cost_usd }
}
