import Type, { type Static } from 'typebox'
import { ModelName } from '../websocket/fields.ts'
import { JsonObject, optional, refusedInChats, sharedParameters } from './parameters.ts'

/** Parts of type `text` are joined; any other is refused. */
const Content = Type.Union([Type.String(), Type.Array(Type.Object({ type: Type.String(), text: Type.Optional(Type.String()) }), { maxItems: 1_000 })])

const FunctionName = Type.String({ pattern: '^[A-Za-z0-9_-]{1,64}$' })

export const toolCallFields = {
  id: Type.String({ maxLength: 128 }),
  type: Type.Literal('function'),
  function: Type.Object({ name: FunctionName, arguments: Type.String({ description: 'JSON' }) }),
}
export const ToolCall = Type.Object(toolCallFields)
export type ToolCall = Static<typeof ToolCall>

export const ChatCompletionMessage = Type.Object({
  role: Type.Union([Type.Literal('system'), Type.Literal('developer'), Type.Literal('user'), Type.Literal('assistant'), Type.Literal('tool')]),
  content: optional(Content),
  tool_calls: optional(Type.Array(ToolCall, { maxItems: 128 })),
  tool_call_id: optional(Type.String({ maxLength: 128, description: 'Of role tool: the call that this is the result of' })),
  function_call: Type.Optional(Type.Null()),
})
export type ChatCompletionMessage = Static<typeof ChatCompletionMessage>

export const Tool = Type.Object({
  type: Type.Literal('function'),
  function: Type.Object({
    name: FunctionName,
    description: optional(Type.String()),
    parameters: optional(JsonObject),
    strict: optional(Type.Boolean()),
  }),
})
export type Tool = Static<typeof Tool>

export const ChatCompletionRequest = Type.Object({
  model: ModelName,
  messages: Type.Array(ChatCompletionMessage, { minItems: 1, maxItems: 2_000 }),
  ...sharedParameters,
  max_completion_tokens: optional(Type.Integer({ minimum: 1, maximum: 131_072, description: 'The newer name of max_tokens' })),
  tools: optional(Type.Array(Tool, { maxItems: 128 })),
  parallel_tool_calls: optional(Type.Boolean({ description: 'false: the reply ends with its first call' })),
  store: optional(Type.Boolean({ description: 'Whether the call is kept as a conversation' })),
  metadata: optional(Type.Object({ conversation_id: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,15}$', description: 'With store: the conversation that the last message is sent in' })) })),
  ...refusedInChats,
})
export type ChatCompletionRequest = Static<typeof ChatCompletionRequest>
