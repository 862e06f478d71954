import Type, { type Static } from 'typebox'
import { Attempt, MessageId, Offset, TurnError, TurnId } from '../fields.ts'

export const TurnFailed = Type.Object({
  type: Type.Literal('turn.failed'),
  turn_id: TurnId,
  attempt: Attempt,
  message_id: MessageId,
  end: Offset,
  error: TurnError,
})
export type TurnFailed = Static<typeof TurnFailed>
