/** From the fields of a request to what the engine is asked: token ids, and limits as vLLM sets them. */
import { randomInt } from 'node:crypto'
import { renderChat, type ChatMessage } from '../chat-template.ts'
import type { GenerationRequest } from '../engine/engine.ts'
import type { ModelRuntime } from '../engine/model-runtime.ts'
import { valueFault } from './faults.ts'
import type { SamplingFields } from './requests.ts'

/** Of a prompt too long for the model, `prefix` is enough to show it: then less than all of it is tokenized. */
type Extent = 'all' | 'prefix'

export function chatPrompt(runtime: ModelRuntime, messages: readonly ChatMessage[], addGenerationPrompt: boolean, extent: Extent): number[] {
  if (messages.length === 0) throw valueFault('Cannot apply chat template to an empty conversation. Provide at least one message.')
  const parts: number[][] = []
  let length = 0
  for (const piece of renderChat(messages, addGenerationPrompt)) {
    const part = 'marker' in piece ? runtime.tokenize(piece.marker, true) : tokenize(runtime, piece.text, false, extent)
    parts.push(part)
    length += part.length
    if (extent === 'prefix' && length > runtime.maxModelLen) break
  }
  return parts.flat()
}

/** Names of control tokens in the text stand for those tokens, as with vLLM. `addSpecialTokens`: begin as the tokenizer is set up to. */
export function textPrompt(runtime: ModelRuntime, text: string, addSpecialTokens: boolean, extent: Extent): number[] {
  const ids = tokenize(runtime, text, true, extent)
  return addSpecialTokens && runtime.bosId !== null ? [runtime.bosId].concat(ids) : ids
}

function tokenize(runtime: ModelRuntime, text: string, markers: boolean, extent: Extent): number[] {
  const enough = (runtime.maxModelLen + 1) * runtime.vocabulary.longestToken
  return runtime.tokenize(extent === 'prefix' ? text.slice(0, enough) : text, markers)
}

export function checkedIds(runtime: ModelRuntime, ids: readonly number[]): readonly number[] {
  const unknown = ids.find((id) => !runtime.vocabulary.has(id))
  if (unknown !== undefined) throw valueFault(`Token id ${unknown} is out of vocabulary`)
  return ids
}

/** Sampling where a request names none, as a model's generation_config.json would say: a small model strays without top-k. */
const defaultSampling = { temperature: 1, topP: 1, topK: 40 }
/** vLLM's own bound: below it, dividing by the temperature would overflow. */
const greedyBelow = 1e-5

/**
 * Throws HttpFault where vLLM would. `defaultMaxTokens` undefined: as many as fit.
 * `isTextPrompt`: the prompt was tokenized here, perhaps not to its end, so that its length is a lower bound.
 */
export function generationRequest(runtime: ModelRuntime, promptIds: readonly number[], fields: SamplingFields, options: { readonly defaultMaxTokens?: number; readonly isTextPrompt: boolean }): GenerationRequest {
  const temperature = fields.temperature ?? defaultSampling.temperature
  const topP = fields.top_p ?? defaultSampling.topP
  const topK = fields.top_k ?? defaultSampling.topK
  if (temperature < 0) throw valueFault(`temperature must be non-negative, got ${python(temperature)}. (parameter=temperature, value=${python(temperature)})`, 'temperature')
  if (topP <= 0 || topP > 1) throw valueFault(`top_p must be in (0, 1], got ${python(topP)}. (parameter=top_p, value=${python(topP)})`, 'top_p')
  if (topK < -1) throw valueFault(`top_k must be 0 (disable), or at least 1, got ${topK}. (parameter=top_k, value=${topK})`, 'top_k')
  return {
    promptIds,
    maxTokens: maxTokens(runtime.maxModelLen, promptIds.length, fields.max_tokens ?? options.defaultMaxTokens, options.isTextPrompt),
    sampling: { temperature: temperature < greedyBelow ? 0 : temperature, topP, topK: Math.max(0, topK), seed: fields.seed === undefined || fields.seed === null ? randomInt(2 ** 32) : fields.seed >>> 0 },
    stopTokenIds: new Set(checkedIds(runtime, fields.stop_token_ids ?? [])),
  }
}

function maxTokens(limit: number, promptLength: number, asked: number | undefined, isTextPrompt: boolean): number {
  if (promptLength === 0) throw valueFault('The decoder prompt cannot be empty', 'prompt')
  if (asked !== undefined && asked > limit) {
    throw valueFault(`max_tokens=${asked} cannot be greater than max_model_len=${limit}. Please request fewer output tokens. (parameter=max_tokens, value=${asked})`, 'max_tokens')
  }
  if (promptLength > limit) {
    const shown = isTextPrompt ? limit + 1 : promptLength
    throw valueFault(
      `This model's maximum context length is ${limit} tokens. However, your prompt contains ${isTextPrompt ? 'at least ' : ''}${shown} input tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. (parameter=input_tokens, value=${shown})`,
      'input_tokens',
    )
  }
  const granted = Math.min(asked ?? limit, limit - promptLength)
  if (granted < 1) throw valueFault(`max_tokens must be at least 1, got ${granted}. (parameter=max_tokens, value=${granted})`, 'max_tokens')
  return granted
}

/** A number as Python writes a float: -1 is "-1.0". */
function python(value: number): string {
  return Number.isInteger(value) ? `${value}.0` : String(value)
}
