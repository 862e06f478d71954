import type { Statement } from '../statement.ts'

/** In the order of their ids, as everyone who locks several. Parameter: array of conversation ids. */
export const lockConversations: Statement = {
  name: 'lock_conversations',
  text: 'SELECT id FROM conversations WHERE id = ANY ($1::bigint[]) ORDER BY id FOR NO KEY UPDATE',
}
