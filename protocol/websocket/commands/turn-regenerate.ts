import Type, { type Static } from 'typebox'
import { ClientId, ConversationId, Ref } from '../fields.ts'

/** Answered by message.accepted: the user message gets another reply, a sibling of the one it has. */
export const TurnRegenerate = Type.Object({
  type: Type.Literal('turn.regenerate'),
  ref: Ref,
  conversation_id: ConversationId,
  message_id: Type.Integer({ minimum: 1, description: 'A reply, or the user message that it answers' }),
  client_message_id: ClientId,
})
export type TurnRegenerate = Static<typeof TurnRegenerate>
