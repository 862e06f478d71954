/**
 * Has the store delete conversations that have expired, and remove what deleted ones leave behind: a little at a time, with
 * pauses, so that nobody waits for it. Every process runs one; a shard lets one purge at a time.
 */
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'

const everyMs = 30_000
/** Processes that started together must not for ever purge at the same moment. */
const jitterMs = 5_000
/** Of conversations, turns and messages, at a time. */
const batch = 1_000
const pauseMs = 50

export interface PurgerOptions {
  readonly store: Pick<ConversationStore, 'purge'>
  readonly logger: Logger
}

export class Purger {
  readonly #options: PurgerOptions
  readonly #stopping = new AbortController()
  #timer: NodeJS.Timeout | null = null
  #purging: Promise<void> | null = null

  constructor(options: PurgerOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#timer === null && !this.#stopping.signal.aborted) this.#schedule()
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    if (this.#timer !== null) clearTimeout(this.#timer)
    this.#timer = null
    await this.#purging
  }

  /** Until nothing is left. Never rejects. */
  purge(): Promise<void> {
    this.#purging ??= this.#purge().finally(() => {
      this.#purging = null
    })
    return this.#purging
  }

  #schedule(): void {
    this.#timer = setTimeout(() => {
      this.#schedule()
      void this.purge()
    }, everyMs + (Math.random() * 2 - 1) * jitterMs)
  }

  async #purge(): Promise<void> {
    const { signal } = this.#stopping
    try {
      while (!signal.aborted && (await this.#options.store.purge({ limit: batch }))) await delay(pauseMs, undefined, { signal })
    } catch (error) {
      if (!signal.aborted) this.#options.logger.warn({ err: error }, 'deleted conversations were not purged')
    }
  }
}
