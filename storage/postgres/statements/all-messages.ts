import { messageColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/** Of one conversation, the oldest first, read along the primary key. Parameter: conversation id. */
export const allMessages: Statement = {
  name: 'all_messages',
  text: `
    SELECT ${messageColumns}
    FROM messages m
    WHERE m.conversation_id = $1
      AND m.id BETWEEN (SELECT message_floor FROM conversations WHERE id = $1) AND (SELECT last_message_id FROM conversations WHERE id = $1)
    ORDER BY m.id`,
}
