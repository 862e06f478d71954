import type { Statement } from '../statement.ts'

/**
 * Makes conversations with their first turn, each owned from the start, in one statement that commits by itself: of a
 * conversation that is not there yet nothing is locked or compared with. One that is there, or cannot be made on this shard,
 * is left out. Times are in milliseconds since the epoch. Of the two numbers the reply's is the higher.
 * Parameters: arrays of conversation ids, epochs, nodes, boot ids, user ids, titles, models, systems, milliseconds until
 * they expire; of turns' ids, client message ids, command hashes, contents, lanes, models, params, times of accept and
 * deadlines.
 */
export const firstWrites: Statement = {
  name: 'first_writes',
  text: `
    WITH drawn AS MATERIALIZED (
      SELECT w.*, nextval('message_sequence') AS one, nextval('message_sequence') AS other
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[],
          $10::uuid[], $11::text[], $12::bytea[], $13::text[], $14::text[], $15::text[], $16::jsonb[], $17::bigint[], $18::bigint[])
        AS w (id, epoch, node, boot, user_id, title, model, system, expires, turn_id, client_message_id, command_hash, content, lane, turn_model, params, accepted_at, deadline_at)
      JOIN owned_buckets b ON b.bucket = w.id % 1024
      WHERE NOT EXISTS (SELECT FROM deleted_conversations d WHERE d.id = w.id)
    ), numbered AS (
      SELECT drawn.*, least(one, other) * 1024 + id % 1024 AS user_message_id, greatest(one, other) * 1024 + id % 1024 AS reply_message_id FROM drawn
    ), made AS (
      INSERT INTO conversations (id, message_floor, last_message_id, owner_epoch, owner_node, owner_boot, created_at, updated_at, expires_at, user_id, title, model, system)
      SELECT n.id, n.user_message_id, n.reply_message_id, n.epoch, n.node, n.boot,
        date_trunc('milliseconds', now()), greatest(date_trunc('milliseconds', now()), to_timestamp(n.accepted_at / 1000.0)), now() + n.expires * interval '1 millisecond', n.user_id, n.title, n.model, n.system
      FROM numbered n
      ON CONFLICT (id) DO NOTHING
      RETURNING id, expires_at
    ), expiring AS (
      INSERT INTO expiring_conversations (expires_at, conversation_id) SELECT expires_at, id FROM made WHERE expires_at IS NOT NULL
    ), turns_accepted AS (
      INSERT INTO turns (id, conversation_id, client_message_id, command_hash, user_message_id, parent_id, reply_message_id, state, lane, model, params, accepted_at, deadline_at)
      SELECT n.turn_id, n.id, n.client_message_id, n.command_hash, n.user_message_id, NULL, n.reply_message_id, 'queued', n.lane, n.turn_model, n.params,
        to_timestamp(n.accepted_at / 1000.0), to_timestamp(n.deadline_at / 1000.0)
      FROM numbered n JOIN made ON made.id = n.id
    ), messages_added AS (
      INSERT INTO messages (conversation_id, id, created_at, turn_id, role, content, client_message_id)
      SELECT n.id, n.user_message_id, to_timestamp(n.accepted_at / 1000.0), n.turn_id, 'user', n.content, n.client_message_id
      FROM numbered n JOIN made ON made.id = n.id
    )
    SELECT n.id, n.user_message_id, n.reply_message_id FROM numbered n JOIN made ON made.id = n.id`,
}

export interface FirstWritten {
  readonly [column: string]: unknown
  readonly id: number
  readonly user_message_id: number
  readonly reply_message_id: number
}
