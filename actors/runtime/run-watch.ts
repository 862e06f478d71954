/**
 * Asks the bridges of runs that have not been heard of for a while: their word may go to an owner of the past, whose late
 * request to attach came after this one's. A bridge that is gone is noticed on the way.
 */
import type { ConversationActor } from './actor.ts'

const everyMs = 1_000
/** Bridges are heard of every second at least. */
export const silentAfterMs = 2_000
/** Asked at once; the others are next. */
const mostAsked = 256

export interface RunWatchOptions {
  /** Turns whose runs are silent, and who holds them. */
  readonly silent: () => Iterable<readonly [turnId: string, actor: ConversationActor]>
}

export class RunWatch {
  readonly #options: RunWatchOptions
  readonly #asking = new Set<string>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: RunWatchOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#look(), everyMs)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  #look(): void {
    for (const [turnId, actor] of this.#options.silent()) {
      if (this.#asking.size >= mostAsked) return
      if (this.#asking.has(turnId)) continue
      this.#asking.add(turnId)
      void actor.isGeneratedStill(turnId).finally(() => this.#asking.delete(turnId))
    }
  }
}
