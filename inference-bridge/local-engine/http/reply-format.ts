import type { GeneratedToken } from '../engine/generated-token.ts'

/** How a reply is written: fields and their order as vLLM 0.32 writes them. */
export interface ReplyFormat {
  /** The chunks of a token, as JSON values; the first token of a chat brings the head with it. */
  chunks(token: GeneratedToken, isFirst: boolean): object[]
  usageChunk(completionTokens: number): object
  /** The whole reply, when it is not streamed. `tokens` is not empty. */
  whole(tokens: readonly GeneratedToken[]): object
}

export interface ReplyOptions {
  readonly promptIds: readonly number[]
  readonly returnTokenIds: boolean
  /** Whether a usage chunk will follow, which then bears the fingerprint. */
  readonly includeUsage: boolean
  readonly fingerprint: string
}

/** In a stream. A whole reply adds two fields of details. */
export function usage(promptTokens: number, completionTokens: number) {
  return { prompt_tokens: promptTokens, total_tokens: promptTokens + completionTokens, completion_tokens: completionTokens }
}

export function wholeUsage(promptTokens: number, completionTokens: number) {
  return { ...usage(promptTokens, completionTokens), prompt_tokens_details: null, completion_tokens_details: null }
}

export function finishReason(token: GeneratedToken | undefined): string | null {
  return token?.finish?.reason ?? null
}
