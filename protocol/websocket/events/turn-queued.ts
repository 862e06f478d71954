import Type, { type Static } from 'typebox'
import { ConversationId, Count, MessageId, Milliseconds, TurnId } from '../fields.ts'

/** Sent when a turn was accepted, and when its position changes, at most once a second. */
export const TurnQueued = Type.Object({
  type: Type.Literal('turn.queued'),
  conversation_id: ConversationId,
  turn_id: TurnId,
  user_message_id: MessageId,
  message_id: MessageId,
  position: Type.Union([Count, Type.Null()], { description: 'Turns ahead; null while it waits for the reply before it, or the queue cannot be seen' }),
  eta_ms: Type.Union([Milliseconds, Type.Null()]),
})
export type TurnQueued = Static<typeof TurnQueued>
