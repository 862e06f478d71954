import { conversationColumns, type StoredConversation } from '../rows.ts'
import type { Statement } from '../statement.ts'

/** A row for every id asked for. Parameter: array of conversation ids. */
export const loadClaimed: Statement = {
  name: 'load_claimed',
  text: `
    SELECT w.id AS asked, b.bucket IS NOT NULL AS in_owned_bucket, c.owner_epoch, c.owner_node, c.owner_boot, ${conversationColumns}
    FROM unnest($1::bigint[]) AS w (id)
    LEFT JOIN owned_buckets b ON b.bucket = w.id % 1024
    LEFT JOIN conversations c ON c.id = w.id`,
}

/** Where there is no such conversation, its columns are null. */
export interface LoadedConversation extends StoredConversation {
  readonly asked: number
  readonly in_owned_bucket: boolean
  readonly owner_epoch: number
  readonly owner_node: string | null
  readonly owner_boot: string | null
}
