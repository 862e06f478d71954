import Type, { type Static } from 'typebox'
import { ConversationId, EchoedRef, Ref, Timestamp, Title } from '../fields.ts'

export const ConversationRename = Type.Object({
  type: Type.Literal('conversation.rename'),
  ref: Ref,
  conversation_id: ConversationId,
  title: Title,
})
export type ConversationRename = Static<typeof ConversationRename>

export const ConversationRenamed = Type.Object({
  type: Type.Literal('conversation.renamed'),
  ref: EchoedRef,
  conversation_id: ConversationId,
  title: Title,
  updated_at: Timestamp,
})
export type ConversationRenamed = Static<typeof ConversationRenamed>
