import Type, { type Static } from 'typebox'
import { ConversationId, Message } from '../fields.ts'

export const MessageAdded = Type.Object({
  type: Type.Literal('message.added'),
  conversation_id: ConversationId,
  message: Message,
})
export type MessageAdded = Static<typeof MessageAdded>
