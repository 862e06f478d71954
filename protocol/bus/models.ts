import Type, { type Static } from 'typebox'
import { ModelName } from '../websocket/fields.ts'
import { ProcessName, Version } from './begin.ts'

/** An edge asks any bridge what its engines serve. */
export const ModelsRequest = Type.Object({ v: Version, edge: ProcessName })
export type ModelsRequest = Static<typeof ModelsRequest>

export const ServedModel = Type.Object({
  id: ModelName,
  max_tokens: Type.Union([Type.Integer({ minimum: 1, description: 'Of prompt and reply' }), Type.Null()]),
})
export type ServedModel = Static<typeof ServedModel>

/** The first is what a turn gets that names none. Empty: no engine has told yet. */
export const ModelsReply = Type.Object({ v: Version, bridge: ProcessName, models: Type.Array(ServedModel, { maxItems: 1_000 }) })
export type ModelsReply = Static<typeof ModelsReply>
