/** How many tokens things take for one model, by its engine's own tokenizer. */
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import type { EngineClient } from '../vllm/client.ts'

/** What a chat template adds. */
export interface TemplateCost {
  /** Around a lone user message, the header of the reply included. */
  readonly base: number
  /** What a system message adds beside its text; less than nothing where it takes the place of a default one. */
  readonly system: number
  /** What an exchange adds beside its two texts. */
  readonly exchange: number
}

/**
 * More than any template in use takes: the longest default prompts (gpt-oss, Llama 3.1) have less than a hundred tokens.
 * Byte-level and byte-fallback tokenizers give no more tokens than UTF-8 has bytes.
 */
export const templateBound: TemplateCost = { base: 160, system: 16, exchange: 32 }

/** Longest default system prompt and the like that a tokenizer without `/tokenize` is assumed to add. */
const assumedTemplate: TemplateCost = { base: 64, system: 16, exchange: 24 }

export interface TokenCountsOptions {
  /** Messages whose count is kept; the one that was not used for longest is forgotten. */
  readonly keptMessages: number
}

const probe = 'a'
const maxModels = 64

export class TokenCounts {
  readonly #keptMessages: number
  readonly #counts = new Map<string, number>()
  readonly #templates = new Map<string, TemplateCost>()

  constructor({ keptMessages }: TokenCountsOptions) {
    this.#keptMessages = keptMessages
  }

  /** Undefined where it was not counted, or that is forgotten. */
  known(model: string, message: ContextMessage): number | undefined {
    return this.#counts.get(keyOf(model, message))
  }

  /** Messages never change, so a count holds for good. Rejects with EngineFailure. */
  async ofMessage(client: EngineClient, model: string, message: ContextMessage, signal: AbortSignal): Promise<number> {
    const key = keyOf(model, message)
    const known = this.#counts.get(key)
    if (known !== undefined) {
      this.#counts.delete(key)
      this.#counts.set(key, known)
      return known
    }
    const count = await this.ofText(client, model, message.content, signal)
    this.#counts.set(key, count)
    if (this.#counts.size > this.#keptMessages) this.#counts.delete(this.#counts.keys().next().value as string)
    return count
  }

  async ofText(client: EngineClient, model: string, text: string, signal: AbortSignal): Promise<number> {
    if (text === '') return 0
    return (await client.tokenizeText(model, text, signal))?.length ?? assumedTokens(text)
  }

  /** Measured once a model. */
  async ofTemplate(client: EngineClient, model: string, signal: AbortSignal): Promise<TemplateCost> {
    const known = this.#templates.get(model)
    if (known !== undefined) return known
    const cost = await measureTemplate(client, model, signal)
    if (this.#templates.size >= maxModels) this.#templates.delete(this.#templates.keys().next().value as string)
    this.#templates.set(model, cost)
    return cost
  }
}

function keyOf(model: string, message: ContextMessage): string {
  return `${message.message_id} ${model}`
}

async function measureTemplate(client: EngineClient, model: string, signal: AbortSignal): Promise<TemplateCost> {
  const user = { role: 'user', content: probe } as const
  const lone = await client.tokenizeChat(model, [user], signal)
  const text = await client.tokenizeText(model, probe, signal)
  if (lone === null || text === null) return assumedTemplate
  const withSystem = await client.tokenizeChat(model, [{ role: 'system', content: probe }, user], signal)
  const withExchange = await client.tokenizeChat(model, [user, { role: 'assistant', content: probe }, user], signal)
  return {
    base: lone.length - text.length,
    system: (withSystem?.length ?? lone.length + text.length + assumedTemplate.system) - lone.length - text.length,
    exchange: (withExchange?.length ?? lone.length + 2 * text.length + assumedTemplate.exchange) - lone.length - 2 * text.length,
  }
}

/** For engines that cannot count: more than English or code takes (four and three characters a token), and a byte a token for the rest. */
function assumedTokens(text: string): number {
  let ascii = 0
  for (let at = 0; at < text.length; at++) if (text.charCodeAt(at) < 0x80) ascii += 1
  return Math.ceil(ascii / 2) + Buffer.byteLength(text) - ascii
}
