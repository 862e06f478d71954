import Type, { type Static } from 'typebox'
import { ConversationId, EchoedRef, Ref } from '../fields.ts'

export const ConversationDelete = Type.Object({
  type: Type.Literal('conversation.delete'),
  ref: Ref,
  conversation_id: ConversationId,
})
export type ConversationDelete = Static<typeof ConversationDelete>

/** The reply, and without `ref` what every client is told that has the conversation open. */
export const ConversationDeleted = Type.Object({
  type: Type.Literal('conversation.deleted'),
  ref: EchoedRef,
  conversation_id: ConversationId,
})
export type ConversationDeleted = Static<typeof ConversationDeleted>
