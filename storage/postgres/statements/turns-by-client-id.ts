import { turnColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/** Parameters: arrays of conversation ids and client message ids, in pairs. */
export const turnsByClientId: Statement = {
  name: 'turns_by_client_id',
  text: `
    SELECT ${turnColumns}
    FROM unnest($1::bigint[], $2::text[]) AS w (conversation_id, client_message_id)
    JOIN turns t USING (conversation_id, client_message_id)
    JOIN conversations c ON c.id = t.conversation_id`,
}
