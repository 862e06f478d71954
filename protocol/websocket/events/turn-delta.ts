import Type, { type Static } from 'typebox'
import { Attempt, Offset, TurnId } from '../fields.ts'

/** Clients store `end`, and never count. */
export const TurnDelta = Type.Object({
  type: Type.Literal('turn.delta'),
  turn_id: TurnId,
  attempt: Attempt,
  offset: Offset,
  end: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Where the text ends: the next offset' }),
  text: Type.String(),
})
export type TurnDelta = Static<typeof TurnDelta>
