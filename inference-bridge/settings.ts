/** Figures of a bridge that a deployment rarely changes. Milliseconds throughout. */
import type { BreakerSettings } from '../platform/circuit-breaker.ts'
import type { Cache } from '../platform/cache/cache.ts'
import type { Config } from '../platform/config/config.ts'
import type { RetrySettings } from './runs/backoff.ts'

export interface BridgeTiming {
  /** Deadlines of an engine's stream, counted in data events. */
  readonly firstTokenMs: number
  readonly interTokenMs: number
  /** Engine calls that are no streams. */
  readonly engineCallMs: number
  readonly probeIntervalMs: number
  readonly breaker: BreakerSettings
  /** Of a broken stream; counted anew once it brings new text. */
  readonly engineRetry: RetrySettings
  /** How often it is looked whether an engine can be had again; its count limits nothing, the turn's deadline does. */
  readonly engineWait: RetrySettings
  /** Begin, context and finish. */
  readonly busRequestMs: number
  /** Of begin and finish. Its count limits the pages of context only: a job stays in the queue, and a finish waits for its owner. */
  readonly busRetry: RetrySettings
  /** How long one lane is waited on at a time. */
  readonly fetchWaitMs: number
  readonly deltaFlushMs: number
  /** A turn is heard of at least this often, so that its owner, who gives it up after 3 s, knows it alive. */
  readonly beatMs: number
}

export const defaultTiming: BridgeTiming = {
  firstTokenMs: 30_000,
  interTokenMs: 10_000,
  engineCallMs: 5_000,
  probeIntervalMs: 5_000,
  breaker: { failures: 5, openMs: 1_000, maxOpenMs: 30_000 },
  engineRetry: { count: 10, baseMs: 100, maxMs: 5_000 },
  engineWait: { count: 0, baseMs: 100, maxMs: 1_000 },
  busRequestMs: 5_000,
  busRetry: { count: 3, baseMs: 200, maxMs: 5_000 },
  fetchWaitMs: 5_000,
  deltaFlushMs: 8,
  beatMs: 1_000,
}

/** Where replies at temperature 0 are kept, as the configuration says; null: nowhere. */
export function configuredResults(config: Config, cache: Cache): { readonly cache: Cache; readonly ttlMs: number } | null {
  const seconds = config.CHATTERBOT_RESULT_CACHE_SECONDS
  return seconds === 0 ? null : { cache, ttlMs: seconds * 1000 }
}

/** What a turn gets that does not say. */
export interface GenerationDefaults {
  readonly maxTokens: number
  readonly temperature: number
  readonly topP: number
  readonly systemPrompt?: string
}

/** Warm enough not to repeat itself, cool enough to stay with the subject. */
const sampling = { temperature: 0.7, topP: 0.95 }

export function configuredDefaults({ CHATTERBOT_MAX_TOKENS: maxTokens, CHATTERBOT_SYSTEM_PROMPT: systemPrompt }: Config): GenerationDefaults {
  return { maxTokens, ...sampling, ...(systemPrompt === null ? {} : { systemPrompt }) }
}

/** Assumed where an engine does not tell: the default of Ollama. */
export const assumedWindowTokens = 4096
/** More are of no use: a token is a byte at least, and a reply is 32 KiB at most. It bounds the ids that a run holds. */
export const maxReplyTokens = 32 * 1024
