import Type, { type Static } from 'typebox'
import { Milliseconds } from '../fields.ts'

export const ServerDraining = Type.Object({
  type: Type.Literal('server.draining'),
  reconnect_after_ms: Milliseconds,
})
export type ServerDraining = Static<typeof ServerDraining>
