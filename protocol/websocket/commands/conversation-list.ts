import Type, { type Static } from 'typebox'
import { ConversationId, EchoedRef, ModelName, Ref, Timestamp, Title } from '../fields.ts'

export const ConversationList = Type.Object({
  type: Type.Literal('conversation.list'),
  ref: Ref,
  before: Type.Optional(ConversationId),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100 })),
})
export type ConversationList = Static<typeof ConversationList>

export const ConversationSummary = Type.Object({
  conversation_id: ConversationId,
  title: Type.Union([Title, Type.Null()]),
  model: Type.Optional(ModelName),
  created_at: Timestamp,
  updated_at: Timestamp,
})
export type ConversationSummary = Static<typeof ConversationSummary>

export const Conversations = Type.Object({
  type: Type.Literal('conversations'),
  ref: EchoedRef,
  conversations: Type.Array(ConversationSummary, { description: 'Most recently used first' }),
  has_more: Type.Boolean(),
})
export type Conversations = Static<typeof Conversations>
