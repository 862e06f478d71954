import { conversationColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/**
 * One row: whether the shard owns the bucket, and the conversation, whose columns are null where the user has one with
 * this client id already. Its history is written with it, each message the child of the one before. A message's id is
 * above what the sequence had reached; those of the history are drawn here, and given out in the order of the sequence.
 * Parameters: bucket, user id, client conversation id, hash of the command, title, model, system, arrays of the history's
 * roles and contents, milliseconds until it expires or null.
 */
export const createConversation: Statement = {
  name: 'create_conversation',
  text: `
    WITH owned AS (
      SELECT bucket FROM owned_buckets WHERE bucket = $1::smallint
    ), history AS MATERIALIZED (
      SELECT h.n, h.role, h.content FROM unnest($8::text[], $9::text[]) WITH ORDINALITY AS h (role, content, n)
    ), drawn AS MATERIALIZED (
      SELECT nextval('message_sequence') AS sequence FROM owned, history
    ), numbered AS MATERIALIZED (
      SELECT row_number() OVER (ORDER BY drawn.sequence) AS n, drawn.sequence * 1024 + owned.bucket AS id FROM owned, drawn
    ), c AS (
      INSERT INTO conversations (id, message_floor, last_message_id, created_at, updated_at, expires_at, user_id, client_conversation_id, command_hash, title, model, system)
      SELECT nextval('conversation_sequence') * 1024 + owned.bucket, coalesce((SELECT min(id) FROM numbered), (SELECT last_value FROM message_sequence) * 1024), (SELECT max(id) FROM numbered),
        date_trunc('milliseconds', now()), date_trunc('milliseconds', now()), now() + $10::bigint * interval '1 millisecond',
        $2::text, $3::text, $4::bytea, $5::text, $6::text, $7::text
      FROM owned
      ON CONFLICT (user_id, client_conversation_id) DO NOTHING
      RETURNING *
    ), imported AS (
      INSERT INTO messages (conversation_id, id, parent_id, created_at, role, content)
      SELECT c.id, numbered.id, lag(numbered.id) OVER (ORDER BY numbered.n), c.created_at, history.role, history.content
      FROM c, numbered JOIN history ON history.n = numbered.n
    ), expiring AS (
      INSERT INTO expiring_conversations (expires_at, conversation_id) SELECT c.expires_at, c.id FROM c WHERE c.expires_at IS NOT NULL
    )
    SELECT owned.bucket IS NOT NULL AS in_owned_bucket, ${conversationColumns}
    FROM (VALUES (1)) AS one (row) LEFT JOIN owned ON true LEFT JOIN c ON true`,
}

export const conversationByClientId: Statement = {
  name: 'conversation_by_client_id',
  text: `SELECT c.command_hash, ${conversationColumns} FROM conversations c WHERE c.user_id = $1 AND c.client_conversation_id = $2`,
}
