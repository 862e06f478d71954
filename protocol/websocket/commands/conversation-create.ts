import Type, { type Static } from 'typebox'
import { ClientId, ConversationId, EchoedRef, ModelName, Ref, Text, Timestamp, Title } from '../fields.ts'

export const ConversationCreate = Type.Object({
  type: Type.Literal('conversation.create'),
  ref: Ref,
  client_conversation_id: Type.Optional(ClientId),
  title: Type.Optional(Title),
  model: Type.Optional(ModelName),
  system: Type.Optional(Text),
})
export type ConversationCreate = Static<typeof ConversationCreate>

export const ConversationCreated = Type.Object({
  type: Type.Literal('conversation.created'),
  ref: EchoedRef,
  conversation_id: ConversationId,
  title: Type.Union([Title, Type.Null()], { description: 'null until the first message gives one' }),
  created_at: Timestamp,
})
export type ConversationCreated = Static<typeof ConversationCreated>
