/**
 * Finds turns that were left lying: publishes their jobs again (which is harmless for those that are queued), and ends
 * those whose time is up and whose owner is dead. Every process runs one; a shard lets one sweep at a time.
 */
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore, SweptTurn, TurnRow } from '../../storage/conversation-store.ts'
import { RepublishIntervals } from './republish-intervals.ts'

const everyMs = 5_000
/** Processes that started together must not for ever sweep at the same moment, where only one is let in. */
const jitterMs = 500
/** Younger turns are their owner's business still. */
const minimumAgeMs = 5_000
/** Of one sweep. More than this are left lying only where everything is: the next sweep goes on when the oldest have ended. */
const batch = 10_000
/** Ends under way at once; the next sweep finds the others again. */
const mostEnds = 1_000

export interface SweeperOptions {
  readonly store: Pick<ConversationStore, 'sweep'>
  /** Of this process. */
  readonly node: string
  readonly logger: Logger
  readonly now: () => number
  /** Milliseconds. */
  readonly monotonic: () => number
  /** A run of the turn is heard of here: it needs no other job. */
  readonly hears: (turnId: string) => boolean
  readonly republish: (turn: TurnRow) => void
  readonly expire: (turn: TurnRow) => Promise<void>
}

export class Sweeper {
  readonly #options: SweeperOptions
  readonly #intervals = new RepublishIntervals()
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
    this.#schedule()
    void this.sweep(0)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#sweeping
    await Promise.all(this.#ending.values())
  }

  /** The bus may have lost all jobs that it held. */
  jobsLost(): void {
    this.#intervals.beginAnew()
    if (!this.#stopped) void this.sweep(minimumAgeMs)
  }

  sweep(ageMs: number): Promise<void> {
    this.#sweeping ??= this.#sweep(ageMs).finally(() => {
      this.#sweeping = null
    })
    return this.#sweeping
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#schedule()
      void this.sweep(minimumAgeMs)
    }, everyMs + (Math.random() * 2 - 1) * jitterMs)
  }

  async #sweep(ageMs: number): Promise<void> {
    const { store, logger, now, monotonic, hears, republish } = this.#options
    try {
      const turns = await store.sweep({ olderThan: now() - ageMs, limit: batch })
      for (const turn of turns) {
        if (this.#stopped) return
        if (turn.deadlineAt <= now()) this.#expire(turn)
        else if (!this.#isCaredFor(turn) && !hears(turn.turnId) && this.#intervals.isDue(turn, monotonic())) republish(turn)
      }
    } catch (error) {
      logger.warn({ err: error }, 'sweep failed')
    }
  }

  /** Its owner lives elsewhere, hears of its run, and sweeps too: here, its job would be published in vain as long as it runs. */
  #isCaredFor(turn: SweptTurn): boolean {
    return turn.state === 'running' && this.#isElsewhere(turn)
  }

  #isElsewhere({ liveOwner }: SweptTurn): boolean {
    return liveOwner !== null && liveOwner !== this.#options.node
  }

  #expire(turn: SweptTurn): void {
    // A living owner keeps its own time.
    if (this.#isElsewhere(turn) || this.#ending.size >= mostEnds || this.#ending.has(turn.turnId)) return
    this.#ending.set(turn.turnId, this.#end(turn))
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
