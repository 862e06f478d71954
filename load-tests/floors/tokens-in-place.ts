/**
 * Replies made where they are sent from, at the simulated engine's pace and in its words, so that the same clients verify
 * them: what a server costs that has no engine to ask.
 */
import { readDirectives, replyTokenText, tagOf } from '../simulated-vllm/reply.ts'

export interface Pace {
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  /** Of a reply whose question doesn't say. */
  readonly replyTokens: number
  /** Tokens that are handed on together. */
  readonly tokensAtOnce: number
}

interface Reply {
  readonly tag: number
  readonly tokens: number
  readonly beganAt: number
  readonly onText: (text: string) => void
  readonly onEnd: () => void
  sent: number
}

/** As the simulated engine: one timer for all. */
const tickMs = 2
const oneByte = { multibyte: false }

export class TokensInPlace {
  readonly #pace: Pace
  readonly #running = new Set<Reply>()
  #isTicking = false

  constructor(pace: Pace) {
    this.#pace = pace
  }

  /** Until its end, or until what it returns is called. */
  begin(question: string, onText: (text: string) => void, onEnd: () => void): () => void {
    const reply: Reply = { tag: tagOf(question), tokens: readDirectives(question).tokens ?? this.#pace.replyTokens, beganAt: performance.now() + this.#pace.firstTokenMs, onText, onEnd, sent: 0 }
    this.#running.add(reply)
    if (!this.#isTicking) setTimeout(this.#tick, tickMs)
    this.#isTicking = true
    return () => this.#running.delete(reply)
  }

  readonly #tick = (): void => {
    const now = performance.now()
    for (const reply of this.#running) this.#advance(reply, now)
    this.#isTicking = this.#running.size > 0
    if (this.#isTicking) setTimeout(this.#tick, tickMs)
  }

  #advance(reply: Reply, now: number): void {
    const { tokensPerSecond, tokensAtOnce } = this.#pace
    for (;;) {
      const next = Math.min(reply.sent + tokensAtOnce, reply.tokens)
      if (now < reply.beganAt + ((next - 1) / tokensPerSecond) * 1000) return
      let text = ''
      for (; reply.sent < next; reply.sent += 1) text += replyTokenText(reply.tag, reply.sent, oneByte)
      reply.onText(text)
      if (reply.sent === reply.tokens) break
    }
    this.#running.delete(reply)
    reply.onEnd()
  }
}
