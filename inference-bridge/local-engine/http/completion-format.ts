import { finishReason, usage, wholeUsage, type ReplyFormat, type ReplyOptions } from './reply-format.ts'
import type { ReplyHead } from './reply-head.ts'

export function completionFormat({ id, created, model }: ReplyHead, { promptIds, returnTokenIds, includeUsage, fingerprint }: ReplyOptions): ReplyFormat {
  const head = { id, object: 'text_completion', created, model }
  return {
    chunks: (token, isFirst) => [
      {
        ...head,
        choices: [
          {
            index: 0,
            text: token.text,
            logprobs: null,
            finish_reason: finishReason(token),
            stop_reason: token.finish?.stopReason ?? null,
            prompt_token_ids: returnTokenIds && isFirst ? promptIds : null,
            token_ids: returnTokenIds ? [token.id] : null,
          },
        ],
        ...(token.finish !== null && !includeUsage ? { system_fingerprint: fingerprint } : {}),
      },
    ],
    usageChunk: (completionTokens) => ({ ...head, choices: [], usage: usage(promptIds.length, completionTokens), system_fingerprint: fingerprint }),
    whole: (tokens) => ({
      ...head,
      choices: [
        {
          index: 0,
          text: tokens.map(({ text }) => text).join(''),
          logprobs: null,
          finish_reason: finishReason(tokens.at(-1)),
          stop_reason: tokens.at(-1)?.finish?.stopReason ?? null,
          token_ids: returnTokenIds ? tokens.map((token) => token.id) : null,
          prompt_logprobs: null,
          prompt_token_ids: returnTokenIds ? promptIds : null,
          routed_experts: null,
        },
      ],
      service_tier: null,
      system_fingerprint: fingerprint,
      usage: wholeUsage(promptIds.length, tokens.length),
      kv_transfer_params: null,
    }),
  }
}
