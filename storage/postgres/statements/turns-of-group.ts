import { turnColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

const joined = `SELECT ${turnColumns} FROM turns t JOIN conversations c ON c.id = t.conversation_id`

/**
 * What a group's writes compare with: turns by their ids, and turns by client message ids that are to be accepted.
 * Follows `lockAndDraw` as a statement of its own, to see what was committed while that waited for its locks.
 * Parameters: array of turn ids; arrays of conversation ids and client message ids, in pairs.
 */
export const turnsOfGroup: Statement = {
  name: 'turns_of_group',
  text: `
    ${joined} WHERE t.id = ANY ($1::uuid[])
    UNION ALL
    ${joined} JOIN unnest($2::bigint[], $3::text[]) AS w (conversation_id, client_message_id) ON t.conversation_id = w.conversation_id AND t.client_message_id = w.client_message_id`,
}
