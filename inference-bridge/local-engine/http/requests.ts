/** The bodies that the engine takes, as schemas. As with vLLM, fields that are not named here are ignored. */
import Type, { type Static, type TSchema } from 'typebox'
import { Compile } from 'typebox/compile'
import { firstFault } from '../../../protocol/validation/validation-fault.ts'
import { formFault, valueFault, type HttpFault } from './faults.ts'

/** vLLM takes null for a field that is left out. */
function optional<S extends TSchema>(schema: S) {
  return Type.Optional(Type.Union([schema, Type.Null()]))
}

const TokenIds = Type.Array(Type.Integer())
const Message = Type.Object({ role: Type.String(), content: Type.String() })

const generationFields = {
  model: optional(Type.String()),
  max_tokens: optional(Type.Integer()),
  temperature: optional(Type.Number()),
  top_p: optional(Type.Number()),
  /** 0 and -1: no limit. */
  top_k: optional(Type.Integer()),
  seed: optional(Type.Integer()),
  stop_token_ids: optional(TokenIds),
  stream: optional(Type.Boolean()),
  stream_options: optional(Type.Object({ include_usage: optional(Type.Boolean()) })),
  return_token_ids: optional(Type.Boolean()),
  add_special_tokens: optional(Type.Boolean()),
}

const ChatCompletionRequest = Type.Object({ ...generationFields, messages: Type.Array(Message), add_generation_prompt: optional(Type.Boolean()) })
const CompletionRequest = Type.Object({ ...generationFields, prompt: Type.Union([Type.String(), TokenIds]) })
const TokenizeRequest = Type.Object({
  model: optional(Type.String()),
  prompt: optional(Type.String()),
  messages: optional(Type.Array(Message)),
  add_generation_prompt: optional(Type.Boolean()),
  add_special_tokens: optional(Type.Boolean()),
  return_token_strs: optional(Type.Boolean()),
})
const DetokenizeRequest = Type.Object({ model: optional(Type.String()), tokens: TokenIds })

export type ChatCompletionRequest = Static<typeof ChatCompletionRequest>
export type CompletionRequest = Static<typeof CompletionRequest>
export type TokenizeRequest = Static<typeof TokenizeRequest>
export type DetokenizeRequest = Static<typeof DetokenizeRequest>
export type SamplingFields = Pick<ChatCompletionRequest, 'max_tokens' | 'temperature' | 'top_p' | 'top_k' | 'seed' | 'stop_token_ids'>

export const readChatCompletionRequest = readerOf(ChatCompletionRequest, refuseUnsupported)
export const readCompletionRequest = readerOf(CompletionRequest, refuseUnsupported)
export const readTokenizeRequest = readerOf(TokenizeRequest)
export const readDetokenizeRequest = readerOf(DetokenizeRequest)

/** Returns the body, or throws HttpFault with the first field that does not fit. */
function readerOf<S extends TSchema>(schema: S, check?: (body: unknown) => void): (body: unknown) => Static<S> {
  const validator = Compile(schema)
  return (body) => {
    if (!validator.Check(body)) throw faultOf(body, firstFault(validator.Errors(body)))
    check?.(body)
    return body
  }
}

function faultOf(body: unknown, pointer: string): HttpFault {
  const path = pointer.split('/').slice(1)
  const isMissing = valueAt(body, path) === undefined && path.length > 0
  return formFault(isMissing ? 'missing' : 'invalid_type', path.join('.'), isMissing ? 'Field required' : 'Input is of the wrong type')
}

function valueAt(body: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null && Object.hasOwn(value, key) ? (value as Record<string, unknown>)[key] : undefined), body)
}

/** Fields of vLLM that would change the reply, with the values that ask for nothing. Ignoring them would be a silent lie. */
const unsupported: Record<string, readonly unknown[]> = {
  best_of: [1],
  continue_final_message: [false],
  echo: [false],
  frequency_penalty: [0],
  ignore_eos: [false],
  logit_bias: [],
  logprobs: [false],
  max_completion_tokens: [],
  min_p: [0],
  min_tokens: [0],
  n: [1],
  presence_penalty: [0],
  repetition_penalty: [1],
  response_format: [],
  stop: ['', '[]'],
  structured_outputs: [],
  suffix: [''],
  tools: ['[]'],
  truncate_prompt_tokens: [],
}

function refuseUnsupported(body: unknown): void {
  for (const [field, neutral] of Object.entries(unsupported)) {
    const value = valueAt(body, [field]) ?? null
    const comparable = Array.isArray(value) ? JSON.stringify(value) : value
    if (value !== null && !neutral.includes(comparable)) throw valueFault(`The local engine does not support ${field}.`, field)
  }
}
