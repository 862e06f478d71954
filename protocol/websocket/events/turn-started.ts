import Type, { type Static } from 'typebox'
import { Attempt, ConversationId, MessageId, ModelName, TurnId } from '../fields.ts'

/** A higher attempt than before: drop what you showed of the turn. */
export const TurnStarted = Type.Object({
  type: Type.Literal('turn.started'),
  conversation_id: ConversationId,
  turn_id: TurnId,
  user_message_id: MessageId,
  message_id: MessageId,
  attempt: Attempt,
  model: ModelName,
})
export type TurnStarted = Static<typeof TurnStarted>
