/** The branch of a conversation that a turn answers, read from its newest message back, page by page. */
import type { ContextMessage, ContextReply } from '../../protocol/bus/begin.ts'

/** A user message and its reply. */
export interface Exchange {
  readonly user: ContextMessage
  readonly reply: ContextMessage
}

export interface ChainPage {
  /** Oldest first. */
  readonly messages: readonly ContextMessage[]
  /** Ask for the page that ends with this message; null where this is the oldest. */
  readonly more: number | null
}

export type FetchPage = (leaf: number) => Promise<Pick<ContextReply, 'messages' | 'more'>>

export class ChainError extends Error {
  override readonly name = 'ChainError'
}

/** A chain that leads on and on is cut: no window holds so many pages. */
const maxPages = 256

/**
 * Gives only what a chat template of strict alternation can take, Llama-2's, which is the strictest in use: exchanges,
 * between one leading system message and the question. Messages without a reply are left out, and so are empty replies.
 */
export class Chain {
  /** The user message to answer. */
  readonly question: ContextMessage
  readonly #fetch: FetchPage
  readonly #unread: ContextMessage[]
  #more: number | null
  #pages = 1

  /** Throws ChainError where the newest message is not a user's. */
  constructor(newest: ChainPage, fetch: FetchPage) {
    const unread = [...newest.messages]
    const question = unread.pop()
    if (question?.role !== 'user') throw new ChainError('the chain does not end in a user message')
    this.question = question
    this.#unread = unread
    this.#more = newest.more
    this.#fetch = fetch
  }

  /** The exchange before the last one given, or null where there is none. Rejects as `fetch` does. */
  async previous(): Promise<Exchange | null> {
    let reply: ContextMessage | null = null
    for (;;) {
      const message = this.#unread.pop()
      if (message === undefined) {
        if (!(await this.#readPage())) return null
      } else if (message.role === 'assistant') {
        reply ??= message
      } else if (message.role === 'user') {
        if (reply !== null && reply.content !== '') return { user: message, reply }
        reply = null
      }
    }
  }

  async #readPage(): Promise<boolean> {
    if (this.#more === null || this.#pages >= maxPages) return false
    const page = await this.#fetch(this.#more)
    this.#pages += 1
    this.#unread.push(...page.messages)
    this.#more = page.messages.length === 0 ? null : page.more
    return true
  }
}
