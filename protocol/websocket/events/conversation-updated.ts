import Type, { type Static } from 'typebox'
import { ConversationId, Timestamp, Title } from '../fields.ts'

export const ConversationUpdated = Type.Object({
  type: Type.Literal('conversation.updated'),
  conversation_id: ConversationId,
  title: Type.Union([Title, Type.Null()]),
  updated_at: Timestamp,
})
export type ConversationUpdated = Static<typeof ConversationUpdated>
