import Type, { type Static } from 'typebox'
import { ConversationId, EchoedRef, Message, MessageId, Ref } from '../fields.ts'

export const HistoryGet = Type.Object({
  type: Type.Literal('history.get'),
  ref: Ref,
  conversation_id: ConversationId,
  before: Type.Optional(MessageId),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 200 })),
})
export type HistoryGet = Static<typeof HistoryGet>

export const History = Type.Object({
  type: Type.Literal('history'),
  ref: EchoedRef,
  conversation_id: ConversationId,
  messages: Type.Array(Message, { description: 'Oldest first, all branches' }),
  has_more: Type.Boolean(),
})
export type History = Static<typeof History>
