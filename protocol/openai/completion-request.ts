import Type, { type Static } from 'typebox'
import { ModelName } from '../websocket/fields.ts'
import { refusedInCompletions, sharedParameters } from './parameters.ts'

export const CompletionRequest = Type.Object({
  model: ModelName,
  prompt: Type.Union([Type.String({ minLength: 1 }), Type.Array(Type.String({ minLength: 1 }), { minItems: 1, maxItems: 1 })], {
    description: 'One text, of at most 32 KiB in UTF-8. It goes to the model as it is, without chat template',
  }),
  ...sharedParameters,
  ...refusedInCompletions,
})
export type CompletionRequest = Static<typeof CompletionRequest>
