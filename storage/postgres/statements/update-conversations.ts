import type { Statement } from '../statement.ts'

/** Null keeps what is stored, and so does a title that is. Parameters: arrays of conversation ids, last message ids, times of use (milliseconds since the epoch) and titles. */
export const updateConversations: Statement = {
  name: 'update_conversations',
  text: `
    UPDATE conversations c SET
      last_message_id = coalesce(w.last_message_id, c.last_message_id),
      updated_at = greatest(c.updated_at, to_timestamp(w.used_at / 1000.0)),
      title = coalesce(c.title, w.title)
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::text[]) AS w (id, last_message_id, used_at, title)
    WHERE c.id = w.id`,
}
