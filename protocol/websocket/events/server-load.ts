import Type, { type Static } from 'typebox'
import { Count, LoadLevel, Milliseconds } from '../fields.ts'

export const ServerLoad = Type.Object({
  type: Type.Literal('server.load'),
  level: LoadLevel,
  queue_depth: Count,
  eta_ms: Milliseconds,
  advice: Type.Union([Type.Literal('stream'), Type.Literal('async')]),
})
export type ServerLoad = Static<typeof ServerLoad>
