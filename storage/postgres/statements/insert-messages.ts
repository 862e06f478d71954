import type { Statement } from '../statement.ts'

/** Parameters: an array for each column; times in milliseconds since the epoch. */
export const insertMessages: Statement = {
  name: 'insert_messages',
  text: `
    INSERT INTO messages (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, client_message_id, reason, model, error, usage, timing)
    SELECT w.conversation_id, w.id, w.parent_id, to_timestamp(w.created_at / 1000.0), w.cost_usd, w.turn_id, w.attempt, w.cached, w.role, w.content, w.client_message_id, w.reason, w.model,
      w.error, w.usage, w.timing
    FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::double precision[], $6::uuid[], $7::integer[], $8::boolean[], $9::text[], $10::text[], $11::text[], $12::text[], $13::text[],
        $14::jsonb[], $15::jsonb[], $16::jsonb[])
      AS w (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, client_message_id, reason, model, error, usage, timing)`,
}
