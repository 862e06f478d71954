import { conversationColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/**
 * Sorts all conversations of one user: an index by time of use would have to change with each turn. Those that expire
 * are not listed.
 * Parameters: user id; the conversation after which to go on, or null; limit.
 */
export const listConversations: Statement = {
  name: 'list_conversations',
  text: `
    SELECT ${conversationColumns}
    FROM conversations c
    WHERE c.user_id = $1 AND c.expires_at IS NULL
      AND ($2::bigint IS NULL OR (c.updated_at, c.id) < (SELECT b.updated_at, b.id FROM conversations b WHERE b.id = $2 AND b.user_id = $1))
    ORDER BY c.updated_at DESC, c.id DESC
    LIMIT $3`,
}
