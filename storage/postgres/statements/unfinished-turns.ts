import { turnColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/** Parameter: array of conversation ids. */
export const unfinishedTurns: Statement = {
  name: 'unfinished_turns',
  text: `
    SELECT ${turnColumns}
    FROM turns t JOIN conversations c ON c.id = t.conversation_id
    WHERE t.conversation_id = ANY ($1::bigint[]) AND t.ended_at IS NULL
    ORDER BY t.reply_message_id`,
}
