import type { Statement } from '../statement.ts'

/** Follows a lock on them in its transaction. Their turns and messages stay behind, for `purge`. Parameter: array of conversation ids. */
export const deleteConversations: Statement = {
  name: 'delete_conversations',
  text: `
    WITH gone AS (DELETE FROM conversations WHERE id = ANY ($1::bigint[]) RETURNING id, message_floor)
    INSERT INTO deleted_conversations (id, message_floor, deleted_at) SELECT id, message_floor, now() FROM gone`,
}

/** Those that were deleted, as far as that is still known. Parameter: array of conversation ids. */
export const deletedConversations: Statement = {
  name: 'deleted_conversations',
  text: 'SELECT id FROM deleted_conversations WHERE id = ANY ($1::bigint[])',
}
