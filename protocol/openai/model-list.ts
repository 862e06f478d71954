import Type, { type Static } from 'typebox'

export const OpenAiModel = Type.Object({
  id: Type.String(),
  object: Type.Literal('model'),
  created: Type.Integer({ description: 'Not known: 0' }),
  owned_by: Type.Literal('chatterbot'),
  max_model_len: Type.Union([Type.Integer(), Type.Null()], { description: 'Tokens of prompt and reply' }),
})
export type OpenAiModel = Static<typeof OpenAiModel>

export const OpenAiModelList = Type.Object({ object: Type.Literal('list'), data: Type.Array(OpenAiModel) })
export type OpenAiModelList = Static<typeof OpenAiModelList>

export const modelExample: OpenAiModel = { id: 'smollm2-135m-instruct', object: 'model', created: 0, owned_by: 'chatterbot', max_model_len: 8192 }
