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
/** Ends under way at once; the next sweep finds the others again. */
const mostEnds = 1_000

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
  /** By turn. One may wait for a conversation that another process owns, or for a shard that is away: no other waits for it. */
  readonly #ending = new Map<string, Promise<void>>()
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
    await Promise.all(this.#ending.values())
  }

  sweep(ageMs: number): Promise<void> {
    this.#sweeping ??= this.#sweep(ageMs).finally(() => {
      this.#sweeping = null
    })
    return this.#sweeping
  }

  async #sweep(ageMs: number): Promise<void> {
    const { store, logger, now, republish } = this.#options
    try {
      const turns = await store.sweep({ olderThan: now() - ageMs, limit: batch })
      for (const turn of turns) {
        if (this.#stopped) return
        if (turn.deadlineAt > now()) republish(turn)
        else if (this.#ending.size < mostEnds && !this.#ending.has(turn.turnId)) this.#ending.set(turn.turnId, this.#end(turn))
      }
    } catch (error) {
      logger.warn({ err: error }, 'sweep failed')
    }
  }

  async #end(turn: TurnRow): Promise<void> {
    try {
      await this.#options.expire(turn)
    } catch (error) {
      this.#options.logger.warn({ err: error, turn: turn.turnId }, 'a turn whose time is up was not ended')
    } finally {
      this.#ending.delete(turn.turnId)
    }
  }
}
