import type { Statement } from '../statement.ts'

/** Parameters: arrays of conversation ids, epochs, nodes and boot ids. */
export const stillOwned: Statement = {
  name: 'still_owned',
  text: `
    SELECT c.id
    FROM unnest($1::bigint[], $2::bigint[], $3::text[], $4::text[]) AS w (id, epoch, node, boot)
    JOIN conversations c ON c.id = w.id AND c.owner_epoch = w.epoch AND c.owner_node = w.node AND c.owner_boot = w.boot`,
}
