import Type, { type Static } from 'typebox'
import { EchoedRef, Ref, TurnId } from '../fields.ts'

export const TurnStop = Type.Object({
  type: Type.Literal('turn.stop'),
  ref: Ref,
  turn_id: TurnId,
})
export type TurnStop = Static<typeof TurnStop>

export const TurnStopped = Type.Object({
  type: Type.Literal('turn.stopped'),
  ref: EchoedRef,
  turn_id: TurnId,
})
export type TurnStopped = Static<typeof TurnStopped>
