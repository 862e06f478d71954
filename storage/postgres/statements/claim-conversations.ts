import type { Statement } from '../statement.ts'

/**
 * Takes what is nobody's, this process's or a dead node's, or forced; follows `lockConversations` in its transaction, so
 * that the owner and its sign of life are those of after the lock. A node is dead 5 s after its last sign of life by
 * this server's clock; one from the future (the clock was set back) counts as little.
 * Parameters: arrays of conversation ids and force; this node; its boot id.
 */
export const claimConversations: Statement = {
  name: 'claim_conversations',
  text: `
    UPDATE conversations c SET owner_epoch = c.owner_epoch + 1, owner_node = $3, owner_boot = $4
    FROM unnest($1::bigint[], $2::boolean[]) AS w (id, force)
    JOIN owned_buckets b ON b.bucket = w.id % 1024
    WHERE c.id = w.id AND (
      c.owner_node IS NULL
      OR (c.owner_node = $3 AND c.owner_boot = $4)
      OR w.force
      OR NOT EXISTS (
        SELECT FROM nodes n
        WHERE n.node = c.owner_node AND n.boot_id = c.owner_boot
          AND n.seen_at BETWEEN clock_timestamp() - interval '5 seconds' AND clock_timestamp() + interval '5 seconds'
      )
    )
    RETURNING c.id`,
}
