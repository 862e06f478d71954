import type { Statement } from '../statement.ts'

/**
 * Locks a group's conversations in the order of their ids, then gives a row for each write whose token is the owner's
 * still, with the sequence numbers it needs. They are drawn under the lock, so that ids rise within a conversation.
 * Parameters: arrays of conversation ids, epochs, nodes, boot ids, and numbers to draw (0 to 2).
 */
export const lockAndDraw: Statement = {
  name: 'lock_and_draw',
  text: `
    WITH locked AS MATERIALIZED (
      SELECT id, owner_epoch, owner_node, owner_boot
      FROM conversations
      WHERE id = ANY ($1::bigint[])
      ORDER BY id
      FOR NO KEY UPDATE
    )
    SELECT
      l.id,
      CASE WHEN w.draws > 0 THEN nextval('message_sequence') END AS first,
      CASE WHEN w.draws > 1 THEN nextval('message_sequence') END AS second
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[], $5::integer[]) AS w (id, epoch, node, boot, draws)
    JOIN locked l ON l.id = w.id AND l.owner_epoch = w.epoch AND l.owner_node = w.node AND l.owner_boot = w.boot`,
}

export interface DrawnRow {
  readonly [column: string]: unknown
  readonly id: number
  readonly first: number | null
  readonly second: number | null
}
