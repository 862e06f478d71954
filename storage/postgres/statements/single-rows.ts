/** Look-ups of one row by its key. */
import { conversationColumns, messageColumns, replyColumns, turnColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

export const conversationById: Statement = {
  name: 'conversation_by_id',
  text: `SELECT ${conversationColumns} FROM conversations c WHERE c.id = $1`,
}

export const messageById: Statement = {
  name: 'message_by_id',
  text: `SELECT ${messageColumns} FROM messages m WHERE m.conversation_id = $1 AND m.id = $2`,
}

/** An imported message has no turn, and so is nobody's reply. */
export const replyById: Statement = {
  name: 'reply_by_id',
  text: `SELECT ${replyColumns} FROM messages m WHERE m.conversation_id = $1 AND m.id = $2 AND m.timing IS NOT NULL`,
}

export const turnById: Statement = {
  name: 'turn_by_id',
  text: `SELECT ${turnColumns} FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE t.id = $1`,
}

export const turnByClientId: Statement = {
  name: 'turn_by_client_id',
  text: `SELECT ${turnColumns} FROM turns t JOIN conversations c ON c.id = t.conversation_id WHERE t.conversation_id = $1 AND t.client_message_id = $2`,
}
