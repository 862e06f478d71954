import Type, { type Static } from 'typebox'
import { EchoedRef, Ref } from '../fields.ts'

export const Ping = Type.Object({
  type: Type.Literal('ping'),
  ref: Ref,
})
export type Ping = Static<typeof Ping>

export const Pong = Type.Object({
  type: Type.Literal('pong'),
  ref: EchoedRef,
})
export type Pong = Static<typeof Pong>
