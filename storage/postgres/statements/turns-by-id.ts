import { turnColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/** Parameter: array of turn ids. */
export const turnsById: Statement = {
  name: 'turns_by_id',
  text: `SELECT ${turnColumns} FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE t.id = ANY ($1::uuid[])`,
}
