/** The bodies of `/v1/chat/completions`, `/v1/completions` and `/tokenize`, checked and turned into what the engine needs. */
import { renderChat, planReply, type ChatMessage, type ReplyPlan } from './chat-template.ts';
import {
  continueAndGenerate, emptyConversation, emptyPrompt, maxTokensOverLimit, maxTokensTooSmall, negativeTemperature, notSimulated, promptTooLong,
  streamOptionsWithoutStream, tokenOutOfVocabulary, topPOutOfRange, unknownModel,
} from './error-bodies.ts';
import type { SimulatedVllmOptions } from './options.ts';
import type { RequestFields } from './request-fields.ts';
import { tokenize } from './tokenizer.ts';
import { isInVocabulary } from './vocabulary.ts';

/** vLLM's default for `max_tokens` on `/v1/completions`; on chat it is what the context leaves. */
const COMPLETION_MAX_TOKENS = 16;

export interface GenerationRequest {
  readonly kind: 'chat' | 'completion';
  /** From the body; a header may name another. */
  readonly requestId: string | undefined;
  readonly stream: boolean;
  readonly includeUsage: boolean;
  readonly continuousUsage: boolean;
  readonly returnTokenIds: boolean;
  readonly promptIds: readonly number[];
  readonly plan: ReplyPlan;
  /** After clamping to the context. */
  readonly maxTokens: number;
  readonly minTokens: number;
  readonly ignoreEos: boolean;
  readonly stop: readonly string[];
  readonly stopTokenIds: ReadonlySet<number>;
  readonly streamInterval: number;
}

function checkModel(fields: RequestFields, options: SimulatedVllmOptions): void {
  const model = fields.string('model');
  fields.check();
  if (model !== undefined && model !== options.model) throw unknownModel(model, options.model);
}

function readMessages(fields: RequestFields): ChatMessage[] {
  return fields.objects('messages').map((message) => {
    const role = message.string('role') ?? '';
    const parts = message.raw('content');
    if (!Array.isArray(parts)) return { role, content: message.string('content') ?? '' };
    return { role, content: message.objects('content').map((part) => part.string('text') ?? '').join('') };
  });
}

function renderMessages(fields: RequestFields, messages: readonly ChatMessage[]): number[] {
  const addGenerationPrompt = fields.boolean('add_generation_prompt', true);
  const continueFinalMessage = fields.boolean('continue_final_message', false);
  fields.check();
  if (addGenerationPrompt && continueFinalMessage) throw continueAndGenerate();
  if (messages.length === 0) throw emptyConversation();
  return renderChat(messages, { addGenerationPrompt, continueFinalMessage });
}

function readPrompt(fields: RequestFields): { ids: number[]; exact: boolean } {
  const prompt = fields.raw('prompt');
  if (prompt === undefined || prompt === '') throw emptyPrompt();
  if (typeof prompt === 'string') return { ids: tokenize(prompt, { special: true }), exact: false };
  const ids = fields.integers('prompt');
  if (ids === undefined || ids.length === 0) throw notSimulated('more than one prompt in a request');
  const outside = ids.find((id) => !isInVocabulary(id));
  if (outside !== undefined) throw tokenOutOfVocabulary(outside);
  return { ids, exact: true };
}

function refuseUnsupported(fields: RequestFields): void {
  if ((fields.integer('n') ?? 1) !== 1) throw notSimulated('`n` other than 1');
  for (const name of ['logprobs', 'prompt_logprobs', 'echo', 'use_beam_search']) {
    const value = fields.raw(name);
    if (value !== undefined && value !== false) throw notSimulated(`\`${name}\``);
  }
}

/** The checks come in vLLM's order: types, model, prompt, length, sampling parameters. @throws VllmError 400 or 404. */
export function readGenerationRequest(kind: 'chat' | 'completion', fields: RequestFields, options: SimulatedVllmOptions): GenerationRequest {
  const streamOptions = fields.object('stream_options');
  const includeUsage = streamOptions?.boolean('include_usage', false) ?? false;
  const request = {
    kind,
    requestId: fields.string('request_id'),
    stream: fields.boolean('stream', false),
    includeUsage,
    continuousUsage: includeUsage && (streamOptions?.boolean('continuous_usage_stats', false) ?? false),
    returnTokenIds: fields.boolean('return_token_ids', false),
    minTokens: fields.integer('min_tokens') ?? 0,
    ignoreEos: fields.boolean('ignore_eos', false),
    stop: fields.strings('stop').filter((stop) => stop !== ''),
    stopTokenIds: new Set(fields.integers('stop_token_ids')),
    streamInterval: Math.max(fields.integer('stream_interval') ?? 1, options.streamInterval),
  };
  const temperature = fields.number('temperature') ?? 1;
  const topP = fields.number('top_p') ?? 1;
  const asked = (kind === 'chat' ? fields.integer('max_completion_tokens') : undefined) ?? fields.integer('max_tokens');
  const messages = kind === 'chat' ? readMessages(fields) : undefined;
  checkModel(fields, options);
  if (streamOptions !== undefined && !request.stream) throw streamOptionsWithoutStream();
  refuseUnsupported(fields);

  const { ids: promptIds, exact } = messages === undefined ? readPrompt(fields) : { ids: renderMessages(fields, messages), exact: false };
  const limit = options.maxModelLen;
  if (asked !== undefined && asked > limit) throw maxTokensOverLimit(asked, limit);
  if (promptIds.length > limit) throw promptTooLong(limit, promptIds.length, exact);
  const room = limit - promptIds.length;
  const maxTokens = Math.min(asked ?? (kind === 'chat' ? room : COMPLETION_MAX_TOKENS), room);
  if (temperature < 0) throw negativeTemperature(temperature);
  if (topP <= 0 || topP > 1) throw topPOutOfRange(topP);
  if (maxTokens < 1) throw maxTokensTooSmall(maxTokens);
  return { ...request, promptIds, plan: planReply(promptIds, options), maxTokens };
}

/** @throws VllmError 400 or 404. */
export function readTokenizeRequest(fields: RequestFields, options: SimulatedVllmOptions): { ids: number[]; returnStrings: boolean } {
  const returnStrings = fields.boolean('return_token_strs', false);
  const messages = fields.has('messages') ? readMessages(fields) : undefined;
  const prompt = messages === undefined ? fields.string('prompt') : undefined;
  checkModel(fields, options);
  const ids = messages === undefined ? tokenize(prompt ?? '', { special: true }) : renderMessages(fields, messages);
  return { ids, returnStrings };
}

/** @throws VllmError 400 or 404. */
export function readDetokenizeRequest(fields: RequestFields, options: SimulatedVllmOptions): number[] {
  checkModel(fields, options);
  const ids = fields.integers('tokens') ?? [];
  const outside = ids.find((id) => !isInVocabulary(id));
  if (outside !== undefined) throw tokenOutOfVocabulary(outside);
  return ids;
}
