/** What Postgres holds of some conversations, read past everything under test. */
import pg from 'pg'
import type { StoredConversation, StoredMessage, StoredTurn } from './evidence.ts'

/** `conversationIds`: those that are wanted, on whichever shard they are. */
export async function readStored(databases: readonly string[], conversationIds: readonly number[]): Promise<StoredConversation[]> {
  const found = await Promise.all(databases.map((url) => readShard(url, conversationIds)))
  return found.flat()
}

async function readShard(url: string, ids: readonly number[]): Promise<StoredConversation[]> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const conversations = await client.query<{ id: string; system: string | null }>('SELECT id, system FROM conversations WHERE id = ANY($1::bigint[]) ORDER BY id', [ids])
    const messages = await client.query<MessageRow>(
      `SELECT conversation_id, id, parent_id, role, content, turn_id, client_message_id, reason, attempt, error->>'code' AS error
       FROM messages WHERE conversation_id = ANY($1::bigint[]) ORDER BY id`,
      [ids],
    )
    const turns = await client.query<TurnRow>(
      `SELECT conversation_id, id, client_message_id, user_message_id, reply_message_id, state, attempt, accepted_at, ended_at
       FROM turns WHERE conversation_id = ANY($1::bigint[]) ORDER BY reply_message_id`,
      [ids],
    )
    return conversations.rows.map(({ id, system }) => ({
      conversationId: Number(id),
      system,
      messages: messages.rows.filter(({ conversation_id }) => conversation_id === id).map(storedMessage),
      turns: turns.rows.filter(({ conversation_id }) => conversation_id === id).map(storedTurn),
    }))
  } finally {
    await client.end()
  }
}

interface MessageRow {
  readonly conversation_id: string
  readonly id: string
  readonly parent_id: string | null
  readonly role: string
  readonly content: string
  readonly turn_id: string | null
  readonly client_message_id: string | null
  readonly reason: string | null
  readonly attempt: number | null
  readonly error: string | null
}

interface TurnRow {
  readonly conversation_id: string
  readonly id: string
  readonly client_message_id: string
  readonly user_message_id: string
  readonly reply_message_id: string
  readonly state: string
  readonly attempt: number
  readonly accepted_at: Date
  readonly ended_at: Date | null
}

function storedMessage(row: MessageRow): StoredMessage {
  return {
    id: Number(row.id),
    parentId: row.parent_id === null ? null : Number(row.parent_id),
    role: row.role,
    content: row.content,
    turnId: row.turn_id,
    clientMessageId: row.client_message_id,
    reason: row.reason,
    attempt: row.attempt,
    error: row.error,
  }
}

function storedTurn(row: TurnRow): StoredTurn {
  return {
    turnId: row.id,
    clientMessageId: row.client_message_id,
    userMessageId: Number(row.user_message_id),
    replyMessageId: Number(row.reply_message_id),
    state: row.state,
    attempt: row.attempt,
    acceptedAt: row.accepted_at.getTime(),
    endedAt: row.ended_at?.getTime() ?? null,
  }
}
