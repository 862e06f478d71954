import type { Statement } from '../statement.ts'

/** Nobody's from now on, where the token holds still. Follows `lockConversations` in its transaction. Parameters: arrays of conversation ids, epochs, nodes and boot ids. */
export const releaseConversations: Statement = {
  name: 'release_conversations',
  text: `
    UPDATE conversations c SET owner_node = NULL, owner_boot = NULL
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS w (id, epoch, node, boot)
    WHERE c.id = w.id AND c.owner_epoch = w.epoch AND c.owner_node = w.node AND c.owner_boot = w.boot`,
}
