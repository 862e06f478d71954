import Type, { type Static } from 'typebox'
import { ClientId, ConversationId, MessageId, Ref, Text } from '../fields.ts'

/** Answered by message.accepted: the edited text becomes a sibling of the message, and is replied to. */
export const MessageEdit = Type.Object({
  type: Type.Literal('message.edit'),
  ref: Ref,
  conversation_id: ConversationId,
  message_id: MessageId,
  client_message_id: ClientId,
  text: Text,
})
export type MessageEdit = Static<typeof MessageEdit>
