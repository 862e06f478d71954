import Type, { type Static } from 'typebox'
import { OpenAiUsage } from './usage.ts'

export const CompletionFinishReason = Type.Union([Type.Literal('stop'), Type.Literal('length'), Type.Literal('content_filter')])
export type CompletionFinishReason = Static<typeof CompletionFinishReason>

/** Whole, and each chunk of a stream: there `finish_reason` is null but in the last with text. */
export const Completion = Type.Object({
  id: Type.String({ description: 'cmpl- and the turn\'s id' }),
  object: Type.Literal('text_completion'),
  created: Type.Integer({ description: 'Seconds since the epoch' }),
  model: Type.String(),
  system_fingerprint: Type.Null(),
  choices: Type.Array(
    Type.Object({
      index: Type.Literal(0),
      text: Type.String(),
      logprobs: Type.Null(),
      finish_reason: Type.Union([CompletionFinishReason, Type.Null()]),
    }),
  ),
  usage: Type.Optional(Type.Union([OpenAiUsage, Type.Null()])),
})
export type Completion = Static<typeof Completion>
