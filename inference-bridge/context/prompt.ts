/** What an engine is asked, and how many tokens the reply may have. */
import type { ChatMessage } from '../vllm/client.ts'
import type { Part } from './chain.ts'

export type Prompt = ChatPrompt | RawPrompt

/** A text that goes to the engine as it is. `ids` are null where the engine cannot tell them. */
export class RawPrompt {
  readonly text: string
  readonly ids: readonly number[] | null
  readonly maxTokens: number

  constructor(text: string, ids: readonly number[] | null, maxTokens: number) {
    this.text = text
    this.ids = ids
    this.maxTokens = maxTokens
  }

  /** Nothing of it can be dropped. */
  withoutOldest(): null {
    return null
  }
}

/** Messages, which the engine puts into its model's template. */
export class ChatPrompt {
  readonly messages: readonly ChatMessage[]
  /** Of the reply, so that prompt and reply fit into the window. */
  readonly maxTokens: number
  readonly #system: string | null
  /** Oldest first. */
  readonly #parts: readonly Part[]
  readonly #question: string

  constructor(system: string | null, parts: readonly Part[], question: string, maxTokens: number) {
    this.#system = system
    this.#parts = parts
    this.#question = question
    this.maxTokens = maxTokens
    this.messages = [...(system === null ? [] : [{ role: 'system', content: system } as const]), ...alternating([...parts.flat(), { role: 'user', content: question }])]
  }

  /** For an engine that found it too long all the same. Null where there is nothing left to drop. */
  withoutOldest(): ChatPrompt | null {
    if (this.#parts.length === 0) return null
    return new ChatPrompt(this.#system, this.#parts.slice(1), this.#question, this.maxTokens)
  }
}

/**
 * As the template of Llama-2 wants them, the strictest in use: user and assistant in turn, a user first. Messages of one
 * role that follow each other become one, of paragraphs. A system message within a conversation is said to the model by
 * the user; what comes before the first user message follows an empty one.
 */
function alternating(messages: readonly ChatMessage[]): ChatMessage[] {
  const merged: { role: 'user' | 'assistant'; content: string }[] = []
  for (const { role, content } of messages) {
    const speaker = role === 'assistant' ? 'assistant' : 'user'
    const last = merged.at(-1)
    if (last?.role === speaker) last.content += `\n\n${content}`
    else merged.push({ role: speaker, content })
  }
  return merged[0]?.role === 'assistant' ? [{ role: 'user', content: '' }, ...merged] : merged
}
