import type { Statement } from '../statement.ts'

/**
 * Whether this replica holds every message below an id that the primary does. Ids rise with the accepts of a
 * conversation, and messages never change: so it does once it has seen the id given out, and all turns with lower
 * replies ended. Parameters: conversation id, the id.
 */
export const pageComplete: Statement = {
  name: 'page_complete',
  text: `
    SELECT c.last_message_id >= $2 AND NOT EXISTS (
      SELECT FROM turns t WHERE t.conversation_id = $1 AND t.ended_at IS NULL AND t.reply_message_id < $2
    ) AS complete
    FROM conversations c
    WHERE c.id = $1`,
}
