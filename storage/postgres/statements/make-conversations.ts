import type { Statement } from '../statement.ts'

/** Parameter: how many. */
export const drawConversationNumbers: Statement = {
  name: 'draw_conversation_numbers',
  text: `SELECT nextval('conversation_sequence') AS number FROM generate_series(1, $1::integer)`,
}

/**
 * Makes a group's new conversations under ids that were drawn before, owned from the start; those that are there already
 * stay as they are, as in a group that is run again. The statements that follow compare tokens, and so tell which were made.
 * Parameters: arrays of conversation ids, epochs, nodes, boot ids, user ids, titles, models, systems, and milliseconds
 * until they expire.
 */
export const makeConversations: Statement = {
  name: 'make_conversations',
  text: `
    WITH made AS (
      INSERT INTO conversations (id, message_floor, owner_epoch, owner_node, owner_boot, created_at, updated_at, expires_at, user_id, title, model, system)
      SELECT w.id, (SELECT last_value FROM message_sequence) * 1024, w.epoch, w.node, w.boot,
        date_trunc('milliseconds', now()), date_trunc('milliseconds', now()), now() + w.expires * interval '1 millisecond', w.user_id, w.title, w.model, w.system
      FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $9::bigint[])
        AS w (id, epoch, node, boot, user_id, title, model, system, expires)
      JOIN owned_buckets b ON b.bucket = w.id % 1024
      WHERE NOT EXISTS (SELECT FROM deleted_conversations d WHERE d.id = w.id)
      ON CONFLICT (id) DO NOTHING
      RETURNING id, expires_at
    )
    INSERT INTO expiring_conversations (expires_at, conversation_id) SELECT expires_at, id FROM made WHERE expires_at IS NOT NULL`,
}
