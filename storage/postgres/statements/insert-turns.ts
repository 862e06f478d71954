import type { Statement } from '../statement.ts'

/** Parameters: an array for each column; times in milliseconds since the epoch. */
export const insertTurns: Statement = {
  name: 'insert_turns',
  text: `
    INSERT INTO turns (id, conversation_id, client_message_id, command_hash, user_message_id, parent_id, reply_message_id, state, lane, model, params, accepted_at, deadline_at)
    SELECT w.id, w.conversation_id, w.client_message_id, w.command_hash, w.user_message_id, w.parent_id, w.reply_message_id, w.state, w.lane, w.model, w.params,
      to_timestamp(w.accepted_at / 1000.0), to_timestamp(w.deadline_at / 1000.0)
    FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::bigint[], $13::bigint[])
      AS w (id, conversation_id, client_message_id, command_hash, user_message_id, parent_id, reply_message_id, state, lane, model, params, accepted_at, deadline_at)`,
}
