import { conversationColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/**
 * One row: whether the shard owns the bucket, and the conversation, whose columns are null where the user has one with
 * this client id already. A message's id will be above what the sequence has reached by now.
 * Parameters: bucket, user id, client conversation id, hash of the command, title, model, system.
 */
export const createConversation: Statement = {
  name: 'create_conversation',
  text: `
    WITH owned AS (
      SELECT bucket FROM owned_buckets WHERE bucket = $1::smallint
    ), c AS (
      INSERT INTO conversations (id, message_floor, created_at, updated_at, user_id, client_conversation_id, command_hash, title, model, system)
      SELECT nextval('conversation_sequence') * 1024 + owned.bucket, (SELECT last_value FROM message_sequence) * 1024, date_trunc('milliseconds', now()), date_trunc('milliseconds', now()),
        $2::text, $3::text, $4::bytea, $5::text, $6::text, $7::text
      FROM owned
      ON CONFLICT (user_id, client_conversation_id) DO NOTHING
      RETURNING *
    )
    SELECT owned.bucket IS NOT NULL AS in_owned_bucket, ${conversationColumns}
    FROM (VALUES (1)) AS one (row) LEFT JOIN owned ON true LEFT JOIN c ON true`,
}

export const conversationByClientId: Statement = {
  name: 'conversation_by_client_id',
  text: `SELECT c.command_hash, ${conversationColumns} FROM conversations c WHERE c.user_id = $1 AND c.client_conversation_id = $2`,
}
