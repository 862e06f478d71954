import Type, { type Static } from 'typebox'
import { ToolCall, toolCallFields } from './chat-completion-request.ts'
import { OpenAiUsage } from './usage.ts'

export const ChatFinishReason = Type.Union([Type.Literal('stop'), Type.Literal('length'), Type.Literal('tool_calls'), Type.Literal('content_filter')])
export type ChatFinishReason = Static<typeof ChatFinishReason>

const head = {
  id: Type.String({ description: 'chatcmpl- and the turn\'s id' }),
  created: Type.Integer({ description: 'Seconds since the epoch' }),
  model: Type.String(),
  system_fingerprint: Type.Null(),
}

export const ChatCompletion = Type.Object({
  ...head,
  object: Type.Literal('chat.completion'),
  choices: Type.Array(
    Type.Object({
      index: Type.Literal(0),
      message: Type.Object({
        role: Type.Literal('assistant'),
        content: Type.Union([Type.String(), Type.Null()]),
        refusal: Type.Null(),
        tool_calls: Type.Optional(Type.Array(ToolCall)),
      }),
      logprobs: Type.Null(),
      finish_reason: ChatFinishReason,
    }),
  ),
  usage: Type.Optional(OpenAiUsage),
  metadata: Type.Optional(Type.Object({ conversation_id: Type.String() })),
})
export type ChatCompletion = Static<typeof ChatCompletion>

export const ChatCompletionDelta = Type.Object({
  role: Type.Optional(Type.Literal('assistant')),
  content: Type.Optional(Type.String()),
  tool_calls: Type.Optional(Type.Array(Type.Object({ index: Type.Integer({ minimum: 0 }), ...toolCallFields }))),
})
export type ChatCompletionDelta = Static<typeof ChatCompletionDelta>

export const ChatCompletionChunk = Type.Object({
  ...head,
  object: Type.Literal('chat.completion.chunk'),
  choices: Type.Array(
    Type.Object({
      index: Type.Literal(0),
      delta: ChatCompletionDelta,
      logprobs: Type.Null(),
      finish_reason: Type.Union([ChatFinishReason, Type.Null()]),
    }),
  ),
  usage: Type.Optional(Type.Union([OpenAiUsage, Type.Null()], { description: 'Where it was asked for: null but in the last chunk, which has no choices' })),
})
export type ChatCompletionChunk = Static<typeof ChatCompletionChunk>
