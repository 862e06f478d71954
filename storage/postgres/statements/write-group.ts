import type { Statement } from '../statement.ts'

/** Arrays of each part of `writeGroup`, in the order of the parts. */
export const writeGroupColumns = { turns: 13, messages: 16, turnChanges: 8, conversations: 4, deadLetters: 8 } as const

/**
 * All that a group writes. What it compares with was read under the locks of the conversations, which every writer of
 * turns holds. Times are in milliseconds since the epoch. In changes of turns and conversations null keeps what is
 * stored, and a first `started_at` or title stays.
 * Parameters: an array for each column, as each part names them.
 */
export const writeGroup: Statement = {
  name: 'write_group',
  text: `
    WITH turns_accepted AS (
      INSERT INTO turns (id, conversation_id, client_message_id, command_hash, user_message_id, parent_id, reply_message_id, state, lane, model, params, accepted_at, deadline_at)
      SELECT w.id, w.conversation_id, w.client_message_id, w.command_hash, w.user_message_id, w.parent_id, w.reply_message_id, w.state, w.lane, w.model, w.params,
        to_timestamp(w.accepted_at / 1000.0), to_timestamp(w.deadline_at / 1000.0)
      FROM unnest($1::uuid[], $2::bigint[], $3::text[], $4::bytea[], $5::bigint[], $6::bigint[], $7::bigint[], $8::text[], $9::text[], $10::text[], $11::jsonb[], $12::bigint[], $13::bigint[])
        AS w (id, conversation_id, client_message_id, command_hash, user_message_id, parent_id, reply_message_id, state, lane, model, params, accepted_at, deadline_at)
    ), messages_added AS (
      INSERT INTO messages (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, client_message_id, reason, model, error, usage, timing)
      SELECT w.conversation_id, w.id, w.parent_id, to_timestamp(w.created_at / 1000.0), w.cost_usd, w.turn_id, w.attempt, w.cached, w.role, w.content, w.client_message_id, w.reason, w.model,
        w.error, w.usage, w.timing
      FROM unnest($14::bigint[], $15::bigint[], $16::bigint[], $17::bigint[], $18::double precision[], $19::uuid[], $20::integer[], $21::boolean[], $22::text[], $23::text[], $24::text[], $25::text[], $26::text[],
          $27::jsonb[], $28::jsonb[], $29::jsonb[])
        AS w (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, client_message_id, reason, model, error, usage, timing)
    ), turns_changed AS (
      UPDATE turns t SET
        state = w.state,
        attempt = coalesce(w.attempt, t.attempt),
        run = coalesce(w.run, t.run),
        bridge = coalesce(w.bridge, t.bridge),
        barren_grants = coalesce(w.barren_grants, t.barren_grants),
        started_at = coalesce(t.started_at, to_timestamp(w.started_at / 1000.0)),
        ended_at = to_timestamp(w.ended_at / 1000.0)
      FROM unnest($30::uuid[], $31::text[], $32::integer[], $33::integer[], $34::text[], $35::integer[], $36::bigint[], $37::bigint[])
        AS w (id, state, attempt, run, bridge, barren_grants, started_at, ended_at)
      WHERE t.id = w.id
    ), dead_letters_added AS (
      INSERT INTO unsent_dead_letters (turn_id, conversation_id, failed_at, attempt, run, lane, reason, bridge)
      SELECT w.turn_id, w.conversation_id, to_timestamp(w.failed_at / 1000.0), w.attempt, w.run, w.lane, w.reason, w.bridge
      FROM unnest($42::uuid[], $43::bigint[], $44::bigint[], $45::integer[], $46::integer[], $47::text[], $48::text[], $49::text[])
        AS w (turn_id, conversation_id, failed_at, attempt, run, lane, reason, bridge)
    )
    UPDATE conversations c SET
      last_message_id = coalesce(w.last_message_id, c.last_message_id),
      updated_at = greatest(c.updated_at, to_timestamp(w.used_at / 1000.0)),
      title = coalesce(c.title, w.title)
    FROM unnest($38::bigint[], $39::bigint[], $40::bigint[], $41::text[]) AS w (id, last_message_id, used_at, title)
    WHERE c.id = w.id`,
}
