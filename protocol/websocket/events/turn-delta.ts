import Type, { type Static } from 'typebox'
import { Attempt, Offset, TurnId } from '../fields.ts'

/** Clients store `end`, and never count. */
export const TurnDelta = Type.Object({
  type: Type.Literal('turn.delta'),
  turn_id: TurnId,
  attempt: Attempt,
  offset: Offset,
  end: Offset,
  text: Type.String(),
})
export type TurnDelta = Static<typeof TurnDelta>
