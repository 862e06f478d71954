/**
 * Parameters that chats and completions share. OpenAI takes null for whatever is optional, and so it is here; what is not
 * named is ignored.
 */
import Type, { type TSchema } from 'typebox'
import { limits } from '../websocket/limits.ts'

export function optional<S extends TSchema>(schema: S) {
  return Type.Optional(Type.Union([schema, Type.Null()]))
}

/** JSON of whatever shape, kept as it came. */
export const JsonObject = Type.Unsafe<Readonly<Record<string, unknown>>>({ type: 'object', additionalProperties: true })

const StopString = Type.String({ minLength: 1, maxLength: limits.stopStringLength })

export const sharedParameters = {
  temperature: optional(Type.Number({ minimum: 0, maximum: 2 })),
  top_p: optional(Type.Number({ exclusiveMinimum: 0, maximum: 1 })),
  presence_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
  frequency_penalty: optional(Type.Number({ minimum: -2, maximum: 2 })),
  max_tokens: optional(Type.Integer({ minimum: 1, maximum: 131_072, description: 'Of the reply; as the server is set up where absent' })),
  seed: optional(Type.Integer({ minimum: -Number.MAX_SAFE_INTEGER, maximum: Number.MAX_SAFE_INTEGER, description: 'Reduced to 31 bits' })),
  stop: optional(Type.Union([StopString, Type.Array(StopString, { maxItems: limits.stopStrings })])),
  stream: optional(Type.Boolean()),
  stream_options: optional(Type.Object({ include_usage: optional(Type.Boolean({ description: 'Whether the last chunk tells the numbers of tokens' })) }, { description: 'Of a stream' })),
  user: optional(Type.String({ maxLength: limits.userIdLength, description: 'The user that the request is for, where the credentials may act for others; else a mere label' })),
}

export interface SamplingParameters {
  readonly temperature?: number | null
  readonly top_p?: number | null
  readonly presence_penalty?: number | null
  readonly frequency_penalty?: number | null
  readonly max_tokens?: number | null
  readonly seed?: number | null
  readonly stop?: string | readonly string[] | null
}

const Nothing = Type.Optional(Type.Null())

/**
 * Parameters that would change the reply, and that engines are not asked for. They are taken with the values that ask for
 * nothing: to ignore others would be a silent lie.
 */
const refusedEverywhere = {
  n: optional(Type.Literal(1)),
  logit_bias: Nothing,
  top_k: Nothing,
  min_p: Nothing,
  repetition_penalty: optional(Type.Literal(1)),
  min_tokens: optional(Type.Literal(0)),
  ignore_eos: optional(Type.Literal(false)),
  stop_token_ids: Nothing,
  structured_outputs: Nothing,
  guided_json: Nothing,
  guided_regex: Nothing,
  guided_choice: Nothing,
  guided_grammar: Nothing,
  response_format: optional(Type.Object({ type: Type.Literal('text') })),
}

export const refusedInChats = {
  ...refusedEverywhere,
  logprobs: optional(Type.Literal(false)),
  top_logprobs: optional(Type.Literal(0)),
  modalities: optional(Type.Array(Type.Literal('text'), { minItems: 1, maxItems: 1 })),
  audio: Nothing,
  tool_choice: optional(Type.Union([Type.Literal('auto'), Type.Literal('none')])),
  functions: Nothing,
  function_call: Nothing,
  web_search_options: Nothing,
  reasoning_effort: Nothing,
  verbosity: Nothing,
}

export const refusedInCompletions = {
  ...refusedEverywhere,
  logprobs: Nothing,
  suffix: optional(Type.Literal('')),
  echo: optional(Type.Literal(false)),
  best_of: optional(Type.Literal(1)),
}

export const refusedParameters: ReadonlySet<string> = new Set(Object.keys({ ...refusedInChats, ...refusedInCompletions }))

/** A call may be repeated under its key: it gets the first one's answer. */
export const callHeaders = {
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'A repeated call with this key, of the same user, starts nothing and gets the first one\'s reply' })),
  'x-client-request-id': Type.Optional(Type.String({ pattern: '^[\\x20-\\x7e]{1,512}$', description: 'Echoed in the answer' })),
}
