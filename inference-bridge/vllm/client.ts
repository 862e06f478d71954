/**
 * One engine that speaks OpenAI's HTTP dialect: vLLM, or with fewer abilities (no token ids, no `/tokenize`) llama.cpp's
 * server and Ollama. Only fields named here are sent, as vLLM takes unknown ones without a word.
 */
import { EngineStream, type StreamDeadlines } from './engine-stream.ts'
import { EngineFailure, failureOf } from './failure.ts'
import { Connections } from './http/connections.ts'
import { asCount, asObject, asString, asTokenIds, parseErrorBody, parseObject, type JsonObject } from './json.ts'
import type { StreamChunk } from './stream-chunk.ts'
import { AnswerTooLargeError, WholeAnswer } from './whole-answer.ts'

export interface EngineEndpoint {
  /** Base of the API, without `/v1`. */
  readonly url: string
  readonly apiKey?: string
}

export interface ServedModel {
  readonly id: string
  /** Null where the engine does not say; for a LoRA adapter its parent's. */
  readonly maxModelLength: number | null
  /** Where its weights come from; vLLM tells, others do not. */
  readonly revision: string | null
}

export interface ChatMessage {
  readonly role: 'system' | 'user' | 'assistant'
  readonly content: string
}

/** All that a model's generation_config.json could set is always sent. */
export interface Sampling {
  readonly maxTokens: number
  readonly temperature: number
  readonly topP: number
  readonly seed: number | null
  /** Counted over the tokens that this request generates: what it goes on from is prompt to the engine. */
  readonly presencePenalty: number
  readonly frequencyPenalty: number
}

export type OnChunk = (chunk: StreamChunk) => void

/** uvicorn, in front of vLLM, closes idle connections after 5 s. */
const keepAliveMs = 4000
const connectTimeoutMs = 3000
/** `/tokenize` answers with all ids of a prompt. */
const maxJsonBytes = 8 * 1024 * 1024
const maxServedModels = 256

export class EngineClient {
  readonly #connections: Connections
  readonly #basePath: string
  readonly #headers: Readonly<Record<string, string>>
  readonly #jsonTimeoutMs: number
  readonly #deadlines: StreamDeadlines

  constructor(endpoint: EngineEndpoint, timing: StreamDeadlines & { readonly jsonTimeoutMs: number }) {
    const url = new URL(endpoint.url)
    this.#basePath = url.pathname.replace(/\/+$/, '')
    this.#headers = {
      'content-type': 'application/json',
      ...(endpoint.apiKey === undefined ? {} : { authorization: `Bearer ${endpoint.apiKey}` }),
    }
    this.#jsonTimeoutMs = timing.jsonTimeoutMs
    this.#deadlines = timing
    this.#connections = new Connections(url, { connectMs: connectTimeoutMs, keepAliveMs })
  }

  /** Throws EngineFailure, as all of these do. */
  async models(signal?: AbortSignal): Promise<readonly ServedModel[]> {
    const answer = await this.#json('GET', '/v1/models', null, signal)
    const data = answer['data']
    const entries = (Array.isArray(data) ? data : []).slice(0, maxServedModels).map(asObject).filter((entry) => entry !== null)
    const lengths = new Map(entries.map((entry) => [asString(entry['id']), asCount(entry['max_model_len'])]))
    return entries.flatMap((entry) => {
      const id = asString(entry['id'])
      if (id === null || id === '') return []
      return [{ id, maxModelLength: lengths.get(id) ?? lengths.get(asString(entry['parent'])) ?? null, revision: asString(entry['root']) }]
    })
  }

  /** Ids of the prompt that these messages make, the header of the reply included. Null where the engine cannot tell. */
  async tokenizeChat(model: string, messages: readonly ChatMessage[], signal?: AbortSignal): Promise<readonly number[] | null> {
    return this.#tokenize({ model, messages, add_generation_prompt: true }, signal)
  }

  /** Ids of a text as a whole prompt, begun as the tokenizer is set up to. Null where the engine cannot tell. */
  async tokenizePrompt(model: string, text: string, signal?: AbortSignal): Promise<readonly number[] | null> {
    return this.#tokenize({ model, prompt: text, add_special_tokens: true }, signal)
  }

  /** Ids of a text by itself. Null where the engine cannot tell. */
  async tokenizeText(model: string, text: string, signal?: AbortSignal): Promise<readonly number[] | null> {
    return this.#tokenize({ model, prompt: text, add_special_tokens: false }, signal)
  }

  /** Text of these ids by themselves; what is no whole character reads as U+FFFD. Null where the engine cannot tell. */
  async detokenize(model: string, ids: readonly number[], signal?: AbortSignal): Promise<string | null> {
    const answer = await this.#optional('/detokenize', { model, tokens: ids }, signal)
    return answer === null ? null : asString(answer['prompt'])
  }

  /** The answer to these messages. */
  streamChat(model: string, messages: readonly ChatMessage[], sampling: Sampling, onChunk: OnChunk, traceparent: string | null = null): EngineStream {
    return this.#stream('/v1/chat/completions', { model, messages, ...samplingFields(sampling) }, onChunk, traceparent)
  }

  /** What goes on from exactly these ids, or from a text that the engine makes ids of as of a whole prompt. */
  streamContinuation(model: string, prompt: readonly number[] | string, sampling: Sampling, onChunk: OnChunk, traceparent: string | null = null): EngineStream {
    return this.#stream('/v1/completions', { model, prompt, add_special_tokens: typeof prompt === 'string', ...samplingFields(sampling) }, onChunk, traceparent)
  }

  /** Closes every connection, and so aborts every request. */
  close(): void {
    this.#connections.close()
  }

  #stream(path: string, body: object, onChunk: OnChunk, traceparent: string | null): EngineStream {
    const stream = new EngineStream(onChunk, this.#deadlines)
    // vLLM has its own spans go on from there.
    const headers = traceparent === null ? this.#headers : { ...this.#headers, traceparent }
    stream.asked(this.#connections.request('POST', this.#basePath + path, headers, JSON.stringify({ ...body, stream: true, stream_options: { include_usage: true }, return_token_ids: true }), stream))
    return stream
  }

  async #tokenize(body: object, signal: AbortSignal | undefined): Promise<readonly number[] | null> {
    const answer = await this.#optional('/tokenize', body, signal)
    // llama.cpp has this path too, but tokenizes `content` only: it answers with no `count`.
    return answer === null || asCount(answer['count']) === null ? null : asTokenIds(answer['tokens'])
  }

  /** Null where the engine has no such path. */
  async #optional(path: string, body: object, signal: AbortSignal | undefined): Promise<JsonObject | null> {
    try {
      return await this.#json('POST', path, body, signal)
    } catch (error) {
      if (error instanceof EngineFailure && (error.status === 404 || error.status === 405 || error.status === 501)) return null
      throw error
    }
  }

  async #json(method: 'GET' | 'POST', path: string, body: object | null, signal: AbortSignal | undefined): Promise<JsonObject> {
    const answer = new WholeAnswer(maxJsonBytes)
    const close = this.#connections.request(method, this.#basePath + path, this.#headers, body === null ? '' : JSON.stringify(body), answer)
    const abort = (): void => answer.fault(new Error('it was aborted'))
    const timer = setTimeout(() => answer.fault(new Error(`no answer within ${this.#jsonTimeoutMs} ms`)), this.#jsonTimeoutMs)
    signal?.addEventListener('abort', abort, { once: true })
    try {
      if (signal?.aborted) abort()
      const { status, text } = await answer.whole
      if (status !== 200) throw failureOf(status, parseErrorBody(text))
      return parseObject(text)
    } catch (cause) {
      if (cause instanceof EngineFailure) throw cause
      if (cause instanceof AnswerTooLargeError) throw new EngineFailure('malformed', cause.message)
      throw new EngineFailure('unavailable', `${path}: ${cause instanceof Error ? cause.message : 'failed'}`, { cause })
    } finally {
      clearTimeout(timer)
      signal?.removeEventListener('abort', abort)
      // Of an answer that is not complete.
      close()
    }
  }
}

/** What asks for nothing is left out, as not every engine knows it. */
function samplingFields({ maxTokens, temperature, topP, seed, presencePenalty, frequencyPenalty }: Sampling): object {
  return {
    max_tokens: maxTokens,
    temperature,
    top_p: topP,
    ...(seed === null ? {} : { seed }),
    ...(presencePenalty === 0 ? {} : { presence_penalty: presencePenalty }),
    ...(frequencyPenalty === 0 ? {} : { frequency_penalty: frequencyPenalty }),
  }
}
