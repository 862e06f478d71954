/**
 * Finds turns that were left lying: publishes their jobs again (which is harmless for those that are queued), and ends
 * those whose time is up. Every process runs one; a shard lets one sweep at a time.
 */
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore, TurnRow } from '../../storage/conversation-store.ts'

const everyMs = 5_000
/** Younger turns are their owner's business still. */
const minimumAgeMs = 5_000
/** Of one sweep. More than this are left lying only where everything is: the next sweep goes on when the oldest have ended. */
const batch = 10_000

export interface SweeperOptions {
  readonly store: ConversationStore
  readonly logger: Logger
  readonly now: () => number
  readonly republish: (turn: TurnRow) => void
  readonly expire: (turn: TurnRow) => Promise<void>
}

export class Sweeper {
  readonly #options: SweeperOptions
  #timer: NodeJS.Timeout | null = null
  #sweeping: Promise<void> | null = null
  #stopped = false

  constructor(options: SweeperOptions) {
    this.#options = options
  }

  /** Sweeps at once everything that a process before left, then what gets old. */
  start(): void {
    if (this.#timer !== null || this.#stopped) return
    this.#timer = setInterval(() => void this.sweep(minimumAgeMs), everyMs)
    void this.sweep(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await this.#sweeping
  }

  sweep(ageMs: number): Promise<void> {
    this.#sweeping ??= this.#sweep(ageMs).finally(() => {
      this.#sweeping = null
    })
    return this.#sweeping
  }

  async #sweep(ageMs: number): Promise<void> {
    const { store, logger, now, republish, expire } = this.#options
    try {
      const turns = await store.sweep({ olderThan: now() - ageMs, limit: batch })
      for (const turn of turns) {
        if (this.#stopped) return
        if (turn.deadlineAt <= now()) await expire(turn)
        else republish(turn)
      }
    } catch (error) {
      logger.warn({ err: error }, 'sweep failed')
    }
  }
}
