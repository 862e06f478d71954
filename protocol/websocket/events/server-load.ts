import Type, { type Static } from 'typebox'
import { Load } from '../fields.ts'

export const ServerLoad = Type.Object({ type: Type.Literal('server.load'), ...Load.properties })
export type ServerLoad = Static<typeof ServerLoad>
