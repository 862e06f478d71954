/** One event of a stream of `/v1/chat/completions` or `/v1/completions`, as what the bridge needs of it. */
import { asCount, asObject, asString, asTokenIds, parseObject, readErrorBody, type JsonObject } from './json.ts'
import type { EngineErrorBody } from './failure.ts'

export interface EngineUsage {
  readonly promptTokens: number
  readonly completionTokens: number
}

export interface StreamChunk {
  readonly text: string
  /** Ids of the tokens since the last chunk; null where the engine gives none. */
  readonly ids: readonly number[] | null
  /** In the first chunk only. */
  readonly promptIds: readonly number[] | null
  readonly finishReason: string | null
  readonly usage: EngineUsage | null
  readonly error: EngineErrorBody | null
}

/** `[DONE]`, which says that the stream ends, and nothing about how. */
const done = Buffer.from('[DONE]')

/** Null for `[DONE]`. Throws EngineFailure `malformed`. */
export function decodeStreamChunk(bytes: Buffer, start: number, end: number): StreamChunk | null {
  if (end - start === done.length && bytes.compare(done, 0, done.length, start, end) === 0) return null
  const event = parseObject(bytes.toString('utf8', start, end))
  const choices = event['choices']
  const choice = asObject(Array.isArray(choices) ? choices[0] : null)
  return {
    text: choice === null ? '' : (asString(choice['text']) ?? asString(asObject(choice['delta'])?.['content']) ?? ''),
    ids: choice === null ? null : asTokenIds(choice['token_ids']),
    promptIds: asTokenIds(event['prompt_token_ids']) ?? asTokenIds(choice?.['prompt_token_ids']),
    finishReason: asString(choice?.['finish_reason']),
    usage: readUsage(asObject(event['usage'])),
    error: event['error'] === undefined || event['error'] === null ? null : readErrorBody(event),
  }
}

function readUsage(usage: JsonObject | null): EngineUsage | null {
  const promptTokens = asCount(usage?.['prompt_tokens'])
  const completionTokens = asCount(usage?.['completion_tokens'])
  return promptTokens === null || completionTokens === null ? null : { promptTokens, completionTokens }
}
