import Type, { type Static } from 'typebox'
import { EchoedRef, Pace, Ref } from '../fields.ts'

/** For the whole connection, from now on. A client that is advised `async` does a busy server a favour by `whole`. */
export const PaceSet = Type.Object({
  type: Type.Literal('pace.set'),
  ref: Ref,
  pace: Pace,
})
export type PaceSet = Static<typeof PaceSet>

export const PaceChanged = Type.Object({
  type: Type.Literal('pace.changed'),
  ref: EchoedRef,
  pace: Pace,
})
export type PaceChanged = Static<typeof PaceChanged>
