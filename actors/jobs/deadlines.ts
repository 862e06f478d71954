/** Ends the turns of this process whose time is up, in whatever state they are: one timer for all of them. */
import { ChatError } from '../../protocol/errors.ts'
import type { Logger } from '../../platform/logging/logger.ts'

const everyMs = 1_000
/** Ends under way at once; the next look finds the others. */
const mostEnds = 1_000

export interface DeadlinesOptions {
  /** Turns whose time is up. */
  readonly overdue: () => Iterable<string>
  /** Resolves once the turn has ended, or is not this process's any more. */
  readonly expire: (turnId: string) => Promise<void>
  readonly logger: Logger
}

export class Deadlines {
  readonly #options: DeadlinesOptions
  readonly #ending = new Map<string, Promise<void>>()
  #timer: NodeJS.Timeout | null = null

  constructor(options: DeadlinesOptions) {
    this.#options = options
  }

  start(): void {
    this.#timer ??= setInterval(() => this.check(), everyMs)
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await Promise.all(this.#ending.values())
  }

  check(): void {
    for (const turnId of this.#options.overdue()) {
      if (this.#ending.size >= mostEnds) return
      if (!this.#ending.has(turnId)) this.#ending.set(turnId, this.#end(turnId))
    }
  }

  async #end(turnId: string): Promise<void> {
    const { expire, logger } = this.#options
    try {
      await expire(turnId)
    } catch (error) {
      // Its conversation is another's by now, or has no room for one more event: then it is found again.
      logger[error instanceof ChatError ? 'debug' : 'warn']({ err: error, turn: turnId }, 'a turn whose time is up was not ended')
    } finally {
      this.#ending.delete(turnId)
    }
  }
}
