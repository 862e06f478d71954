import type { Statement } from '../statement.ts'

/** Follows a lock on them in its transaction. Parameters: arrays of conversation ids and titles. */
export const renameConversations: Statement = {
  name: 'rename_conversations',
  text: 'UPDATE conversations c SET title = w.title FROM unnest($1::bigint[], $2::text[]) AS w (id, title) WHERE c.id = w.id',
}
