import Type, { type Static } from 'typebox'

export const OpenAiUsage = Type.Object({
  prompt_tokens: Type.Integer({ minimum: 0 }),
  completion_tokens: Type.Integer({ minimum: 0 }),
  total_tokens: Type.Integer({ minimum: 0 }),
})
export type OpenAiUsage = Static<typeof OpenAiUsage>
