/**
 * Puts as much of a conversation into a prompt as its model's window holds: the question and the system message always,
 * then its parts from the newest back. Which ones depends on exact counts alone, never on how they were come by: so two
 * bridges make the same prompt of a turn, which is what lets one go on with the other's reply.
 */
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import type { EngineClient } from '../vllm/client.ts'
import type { Chain, Part } from './chain.ts'
import { ChatPrompt, RawPrompt } from './prompt.ts'
import { templateBound, type TokenCounts } from './token-counts.ts'

export interface ContextRequest {
  readonly chain: Chain
  readonly system: string | null
  readonly model: string
  /** Tokens of prompt and reply. */
  readonly window: number
  /** Tokens that the reply may have. */
  readonly maxTokens: number
}

/** A reply that could only have fewer tokens is not begun. */
const leastReplyTokens = 16
/** Messages counted at once, so that a long history takes few round trips, and an engine is not flooded. */
const countedAtOnce = 8

/** Null where question and system message alone do not fit. Rejects with EngineFailure, or as the chain's `fetch` does. */
export async function assemblePrompt(request: ContextRequest, counts: TokenCounts, client: EngineClient, signal: AbortSignal): Promise<ChatPrompt | null> {
  const { chain, system, window, maxTokens } = request
  const read: Part[] = []
  if (await surelyFits(request, counts, read)) return new ChatPrompt(system, read.reverse(), chain.question.content, maxTokens)

  const { model } = request
  const template = await counts.ofTemplate(client, model, signal)
  let total = template.base + (await counts.ofMessage(client, model, chain.question, signal))
  if (system !== null) total += template.system + (await counts.ofText(client, model, system, signal))
  if (window - total < Math.min(maxTokens, leastReplyTokens)) return null

  const budget = window - Math.min(maxTokens, Math.floor(window / 2))
  const included: Part[] = []
  for (let full = false; !full; ) {
    while (read.length < included.length + countedAtOnce / 2) {
      const part = await chain.previous()
      if (part === null) break
      read.push(part)
    }
    const next = read.slice(included.length, included.length + countedAtOnce / 2)
    const costs = await Promise.all(
      next.map(async (part) => {
        const tokens = await Promise.all(part.map((message) => counts.ofMessage(client, model, message, signal)))
        return tokens.reduce((sum, count) => sum + count, template.exchange)
      }),
    )
    full = next.length === 0
    for (const [index, part] of next.entries()) {
      const cost = costs[index] as number
      full ||= total + cost > budget
      if (full) break
      total += cost
      included.push(part)
    }
  }
  return new ChatPrompt(system, included.reverse(), chain.question.content, Math.min(maxTokens, window - total))
}

/** Null where the text does not fit. Rejects with EngineFailure. */
export async function rawPrompt({ chain, model, window, maxTokens }: Omit<ContextRequest, 'system'>, client: EngineClient, signal: AbortSignal): Promise<RawPrompt | null> {
  const { content } = chain.question
  const ids = await client.tokenizePrompt(model, content, signal)
  const room = ids === null ? maxTokens : Math.min(maxTokens, window - ids.length)
  return room < 1 ? null : new RawPrompt(content, ids, room)
}

/**
 * Whether the whole chain and a reply of full length fit for certain, judged by what is known already, and else by bytes:
 * for most conversations the engine need not be asked. What was read of the chain is in `read`, newest first.
 */
async function surelyFits({ chain, system, model, window, maxTokens }: ContextRequest, counts: TokenCounts, read: Part[]): Promise<boolean> {
  const most = (message: ContextMessage): number => counts.known(model, message) ?? Buffer.byteLength(message.content)
  let bound = maxTokens + templateBound.base + most(chain.question)
  if (system !== null) bound += templateBound.system + Buffer.byteLength(system)
  while (bound <= window) {
    const part = await chain.previous()
    if (part === null) return true
    read.push(part)
    bound += part.reduce((sum, message) => sum + most(message), templateBound.exchange)
  }
  return false
}
