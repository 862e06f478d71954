import type { IncomingMessage, ServerResponse } from 'node:http'
import { detokenize } from '../engine/detokenizer.ts'
import type { Engine, GenerationRequest } from '../engine/engine.ts'
import type { EngineMetrics } from '../engine/engine-metrics.ts'
import type { ModelRuntime } from '../engine/model-runtime.ts'
import { chatFormat } from './chat-format.ts'
import { completionFormat } from './completion-format.ts'
import { HttpFault, valueFault } from './faults.ts'
import { sendJson, sendText } from './json-response.ts'
import { modelList } from './model-list.ts'
import { chatPrompt, checkedIds, generationRequest, textPrompt } from './prompt.ts'
import { newReplyHead } from './reply-head.ts'
import { streamReply, wholeReply } from './reply.ts'
import type { ReplyFormat, ReplyOptions } from './reply-format.ts'
import { readJson } from './request-body.ts'
import { readChatCompletionRequest, readCompletionRequest, readDetokenizeRequest, readTokenizeRequest, type ChatCompletionRequest, type CompletionRequest } from './requests.ts'

export interface ServedModel {
  readonly name: string
  readonly runtime: ModelRuntime
  readonly engine: Engine
  readonly metrics: EngineMetrics
  /** Names the engine and its version in replies and at `/version`. */
  readonly fingerprint: string
  /** Seconds since the epoch. */
  readonly loadedAt: number
  readonly keepAliveMs: number
  readonly log: (line: string) => void
}

export interface Exchange {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly signal: AbortSignal
}

type Handler = (model: ServedModel, exchange: Exchange) => Promise<void> | void

/** What vLLM answers at completions that name no `max_tokens`. */
const defaultCompletionTokens = 16

const routes: Record<string, Handler> = {
  'POST /v1/chat/completions': chatCompletions,
  'POST /v1/completions': completions,
  'POST /tokenize': tokenize,
  'POST /detokenize': detokenizeIds,
  'GET /v1/models': ({ name, runtime, loadedAt }, { response }) => sendJson(response, 200, modelList(name, runtime.maxModelLen, loadedAt)),
  'GET /version': ({ fingerprint }, { response }) => sendJson(response, 200, { version: fingerprint }),
  'GET /health': (_model, { response }) => sendText(response, 200, 'text/plain; charset=utf-8', ''),
  'GET /metrics': async ({ metrics }, { response }) => {
    const { contentType, body } = await metrics.expose()
    sendText(response, 200, contentType, body)
  },
}

/** Rejects with HttpFault where nothing has been sent yet. */
export async function route(model: ServedModel, exchange: Exchange): Promise<void> {
  const path = exchange.request.url?.split('?', 1)[0] ?? ''
  const key = `${exchange.request.method} ${path}`
  const handler = Object.hasOwn(routes, key) ? routes[key] : undefined
  if (handler !== undefined) return handler(model, exchange)
  if (Object.keys(routes).some((known) => known.endsWith(` ${path}`))) sendJson(exchange.response, 405, { detail: 'Method Not Allowed' })
  else sendJson(exchange.response, 404, { detail: 'Not Found' })
}

async function chatCompletions(model: ServedModel, exchange: Exchange): Promise<void> {
  const body = readChatCompletionRequest(await readJson(exchange.request))
  requireModel(model, body.model)
  const promptIds = chatPrompt(model.runtime, body.messages, body.add_generation_prompt ?? true, 'prefix')
  const request = generationRequest(model.runtime, promptIds, body, { isTextPrompt: true })
  await reply(model, exchange, body, request, (options) => chatFormat(newReplyHead('chatcmpl', model.name), options))
}

async function completions(model: ServedModel, exchange: Exchange): Promise<void> {
  const body = readCompletionRequest(await readJson(exchange.request))
  requireModel(model, body.model)
  const { runtime } = model
  const isTextPrompt = typeof body.prompt === 'string'
  const promptIds = typeof body.prompt === 'string' ? textPrompt(runtime, body.prompt, body.add_special_tokens ?? true, 'prefix') : checkedIds(runtime, body.prompt)
  const request = generationRequest(runtime, promptIds, body, { defaultMaxTokens: defaultCompletionTokens, isTextPrompt })
  await reply(model, exchange, body, request, (options) => completionFormat(newReplyHead('cmpl', model.name), options))
}

async function reply(model: ServedModel, { response, signal }: Exchange, body: ChatCompletionRequest | CompletionRequest, request: GenerationRequest, format: (options: ReplyOptions) => ReplyFormat): Promise<void> {
  const context = { engine: model.engine, response, signal, keepAliveMs: model.keepAliveMs, onEngineError: (error: unknown) => model.log(`generation failed: ${String(error)}`) }
  const includeUsage = body.stream_options?.include_usage ?? false
  const written = format({ promptIds: request.promptIds, returnTokenIds: body.return_token_ids ?? false, includeUsage, fingerprint: model.fingerprint })
  if (body.stream ?? false) await streamReply(context, request, written, includeUsage)
  else await wholeReply(context, request, written)
}

async function tokenize(model: ServedModel, { request, response }: Exchange): Promise<void> {
  const body = readTokenizeRequest(await readJson(request))
  requireModel(model, body.model)
  const { runtime } = model
  let tokens: number[]
  if (typeof body.prompt === 'string') tokens = textPrompt(runtime, body.prompt, body.add_special_tokens ?? true, 'all')
  else if (body.messages) tokens = chatPrompt(runtime, body.messages, body.add_generation_prompt ?? true, 'all')
  else throw valueFault('Either prompt or messages is required.', 'prompt')
  const token_strs = (body.return_token_strs ?? false) ? tokens.map((id) => runtime.vocabulary.spelling(id)) : null
  sendJson(response, 200, { count: tokens.length, max_model_len: runtime.maxModelLen, tokens, token_strs })
}

async function detokenizeIds(model: ServedModel, { request, response }: Exchange): Promise<void> {
  const body = readDetokenizeRequest(await readJson(request))
  requireModel(model, body.model)
  sendJson(response, 200, { prompt: detokenize(model.runtime.vocabulary, checkedIds(model.runtime, body.tokens)) })
}

function requireModel({ name }: ServedModel, asked: string | null | undefined): void {
  if (asked === undefined || asked === null || asked === name) return
  throw new HttpFault(404, 'NotFoundError', `The model \`${asked.slice(0, 200)}\` does not exist. Valid aliases: ${name}.`, 'model')
}
