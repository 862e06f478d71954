import Type, { type Static } from 'typebox'
import { ConversationId, EchoedRef, Ref } from '../fields.ts'

export const ConversationClose = Type.Object({
  type: Type.Literal('conversation.close'),
  ref: Ref,
  conversation_id: ConversationId,
})
export type ConversationClose = Static<typeof ConversationClose>

export const ConversationClosed = Type.Object({
  type: Type.Literal('conversation.closed'),
  ref: EchoedRef,
  conversation_id: ConversationId,
})
export type ConversationClosed = Static<typeof ConversationClosed>
