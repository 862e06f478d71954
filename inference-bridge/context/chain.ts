/** The branch of a conversation that a turn answers, read from its newest message back, page by page. */
import type { ContextMessage, ContextReply } from '../../protocol/bus/begin.ts'

/** A user message and its reply; or an imported message that has no other half. What is kept of a conversation, or dropped, as one. */
export type Part = readonly [user: ContextMessage, reply: ContextMessage] | readonly [lone: ContextMessage]

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
 * Gives what a conversation consists of: exchanges, before the question. Messages without a reply are left out, and so
 * are empty replies. Of what was imported nothing is left out, whatever follows what: a message that has no other half is
 * a part by itself, and Prompt makes of them what a template can take.
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

  /** The part before the last one given, or null where there is none. Rejects as `fetch` does. */
  async previous(): Promise<Part | null> {
    let reply: ContextMessage | null = null
    for (;;) {
      const message = this.#unread.at(-1)
      if (message === undefined) {
        if (await this.#readPage()) continue
        return reply?.imported === true ? [reply] : null
      }
      // It has no user message, unless this is one.
      if (reply?.imported === true && message.role !== 'user') return [reply]
      this.#unread.pop()
      if (message.imported === true && message.content === '') continue
      if (message.role === 'assistant') {
        reply ??= message
      } else if (message.role === 'user' && reply !== null && reply.content !== '') {
        return [message, reply]
      } else {
        if (message.imported === true) return [message]
        if (message.role === 'user') reply = null
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
