import type { GeneratedToken } from '../engine/generated-token.ts'
import { finishReason, usage, wholeUsage, type ReplyFormat, type ReplyOptions } from './reply-format.ts'
import type { ReplyHead } from './reply-head.ts'

export function chatFormat({ id, created, model }: ReplyHead, { promptIds, returnTokenIds, includeUsage, fingerprint }: ReplyOptions): ReplyFormat {
  const chunkHead = { id, object: 'chat.completion.chunk', created, model }
  const promptTokenIds = returnTokenIds ? promptIds : null

  function headChunk(): object {
    return {
      ...chunkHead,
      choices: [{ index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null }],
      prompt_token_ids: promptTokenIds,
      prompt_text: null,
    }
  }

  function tokenChunk(token: GeneratedToken): object {
    const isLast = token.finish !== null
    return {
      ...chunkHead,
      choices: [
        {
          index: 0,
          delta: { content: token.text },
          logprobs: null,
          finish_reason: finishReason(token),
          ...(isLast ? { stop_reason: token.finish.stopReason } : {}),
          token_ids: returnTokenIds ? [token.id] : null,
        },
      ],
      ...(isLast && !includeUsage ? { system_fingerprint: fingerprint } : {}),
    }
  }

  return {
    chunks: (token, isFirst) => (isFirst ? [headChunk(), tokenChunk(token)] : [tokenChunk(token)]),
    usageChunk: (completionTokens) => ({ ...chunkHead, choices: [], usage: usage(promptIds.length, completionTokens), system_fingerprint: fingerprint }),
    whole: (tokens) => ({
      id,
      object: 'chat.completion',
      created,
      model,
      choices: [
        {
          index: 0,
          message: { role: 'assistant', content: tokens.map(({ text }) => text).join(''), refusal: null, annotations: null, audio: null, function_call: null, reasoning: null },
          logprobs: null,
          finish_reason: finishReason(tokens.at(-1)),
          stop_reason: tokens.at(-1)?.finish?.stopReason ?? null,
          token_ids: returnTokenIds ? tokens.map((token) => token.id) : null,
          routed_experts: null,
        },
      ],
      service_tier: null,
      system_fingerprint: fingerprint,
      usage: wholeUsage(promptIds.length, tokens.length),
      prompt_logprobs: null,
      prompt_token_ids: promptTokenIds,
      prompt_text: null,
      kv_transfer_params: null,
      ec_transfer_params: null,
      metrics: null,
    }),
  }
}
