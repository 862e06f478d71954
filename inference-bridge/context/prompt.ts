/** What an engine is asked, and how many tokens the reply may have. */
import type { ChatMessage } from '../vllm/client.ts'
import type { Exchange } from './chain.ts'

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
  readonly #exchanges: readonly Exchange[]
  readonly #question: string

  constructor(system: string | null, exchanges: readonly Exchange[], question: string, maxTokens: number) {
    this.#system = system
    this.#exchanges = exchanges
    this.#question = question
    this.maxTokens = maxTokens
    this.messages = [
      ...(system === null ? [] : [{ role: 'system', content: system } as const]),
      ...exchanges.flatMap(({ user, reply }): ChatMessage[] => [
        { role: 'user', content: user.content },
        { role: 'assistant', content: reply.content },
      ]),
      { role: 'user', content: question },
    ]
  }

  /** For an engine that found it too long all the same. Null where there is nothing left to drop. */
  withoutOldest(): ChatPrompt | null {
    if (this.#exchanges.length === 0) return null
    return new ChatPrompt(this.#system, this.#exchanges.slice(1), this.#question, this.maxTokens)
  }
}
