/**
 * Whole replies to what was asked at temperature 0, so that the same question of the same user need not be answered
 * twice. Nobody waits for an entry to be written, and one that is gone or garbage is generated anew.
 */
import { createHash } from 'node:crypto'
import { MsgpackError, readMsgpack } from '../../protocol/msgpack/reader.ts'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { checkText } from '../../protocol/text.ts'
import type { Usage } from '../../protocol/websocket/fields.ts'
import type { Cache } from '../../platform/cache/cache.ts'
import { seal, unseal } from '../../platform/cache/sealed.ts'
import type { GenerationEnd } from '../generation/generation.ts'
import type { ChatMessage, Sampling } from '../vllm/client.ts'

/** All that a reply depends on, and whose it is. */
export interface Question {
  readonly userId: string
  readonly model: string
  /** Which weights the engine serves under that name, as far as it tells. */
  readonly revision: string | null
  /** A raw prompt, or what goes into the chat template. */
  readonly asked: string | readonly ChatMessage[]
  readonly sampling: Sampling
  readonly stop: readonly string[]
}

export interface Result {
  readonly text: string
  readonly reason: GenerationEnd
  readonly usage: Usage | null
}

const format = 1

export class ResultCache {
  readonly #cache: Cache
  readonly #ttlMs: number

  constructor(options: { readonly cache: Cache; readonly ttlMs: number }) {
    this.#cache = options.cache
    this.#ttlMs = options.ttlMs
  }

  async find(key: string): Promise<Result | null> {
    const sealed = await this.#cache.get(key)
    const entry = sealed === null ? null : unseal(sealed)
    return entry === null ? null : resultOf(entry)
  }

  keep(key: string, { text, reason, usage }: Result): void {
    void this.#cache.put(key, seal(writeMsgpack([text, reason, usage === null ? null : [usage.prompt_tokens, usage.completion_tokens]])), this.#ttlMs)
  }
}

/** Null where the reply may be another each time: it is drawn by chance. */
export function resultKey({ userId, model, revision, asked, sampling, stop }: Question): string | null {
  if (sampling.temperature !== 0) return null
  const { maxTokens, topP, seed, presencePenalty, frequencyPenalty } = sampling
  const prompt = typeof asked === 'string' ? asked : asked.map(({ role, content }) => [role, content])
  const question = JSON.stringify([userId, model, revision, maxTokens, topP, seed, presencePenalty, frequencyPenalty, stop, prompt])
  return `result:${format}:${createHash('sha256').update(question).digest('base64url')}`
}

function resultOf(entry: Uint8Array): Result | null {
  let fields: unknown
  try {
    fields = readMsgpack(entry, { binary: false })
  } catch (error) {
    if (error instanceof MsgpackError) return null
    throw error
  }
  if (!Array.isArray(fields) || fields.length !== 3) return null
  const [text, reason, counts] = fields as unknown[]
  if (typeof text !== 'string' || (text !== '' && checkText(text) !== null) || (reason !== 'stop' && reason !== 'length')) return null
  if (counts === null) return { text, reason, usage: null }
  if (!Array.isArray(counts) || counts.length !== 2 || !counts.every((count) => Number.isSafeInteger(count) && count >= 0)) return null
  const [prompt_tokens, completion_tokens] = counts as [number, number]
  return { text, reason, usage: { prompt_tokens, completion_tokens } }
}
