/**
 * Asks the store whether this process still owns its conversations, whenever it may have been taken for dead: after its
 * timers stood still for longer than its sign of life is good for, when the bus comes back, and every 5 s while the bus
 * is away. The fence keeps a stale owner from writing; this keeps it from showing.
 */
import type { Channel } from '../../platform/bus/channel.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import type { ConversationActor } from './actor.ts'

const tickMs = 1_000
/** Less than the 5 s after which a silent node counts as dead. */
const longestGapMs = 4_000
const whileBusIsAwayMs = 5_000

export interface OwnershipCheckOptions {
  readonly store: Pick<ConversationStore, 'stillOwned'>
  readonly channel: Pick<Channel, 'status' | 'onStatus'>
  readonly logger: Logger
  readonly monotonic: () => number
  readonly actors: () => Iterable<ConversationActor>
}

export class OwnershipCheck {
  readonly #options: OwnershipCheckOptions
  #timer: NodeJS.Timeout | null = null
  #unsubscribe: () => void = () => undefined
  #tickedAt = 0
  #checkedAt = 0
  #checking: Promise<void> | null = null

  constructor(options: OwnershipCheckOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#timer !== null) return
    const { channel, monotonic } = this.#options
    this.#tickedAt = monotonic()
    this.#timer = setInterval(() => this.#tick(), tickMs)
    this.#unsubscribe = channel.onStatus((status) => {
      if (status === 'connected') void this.check()
    })
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#unsubscribe()
    await this.#checking
  }

  /** Drops the actors whose conversations others own. Concurrent callers share one look. */
  check(): Promise<void> {
    this.#checking ??= this.#check().finally(() => {
      this.#checking = null
    })
    return this.#checking
  }

  #tick(): void {
    const { channel, monotonic } = this.#options
    const now = monotonic()
    const gap = now - this.#tickedAt
    this.#tickedAt = now
    const busAway = channel.status === 'disconnected' && now - this.#checkedAt >= whileBusIsAwayMs
    if (gap >= longestGapMs || busAway) void this.check()
  }

  async #check(): Promise<void> {
    const { store, logger, monotonic, actors } = this.#options
    this.#checkedAt = monotonic()
    const asked = [...actors()]
    if (asked.length === 0) return
    const tokens = new Map(asked.map((actor) => [actor.conversationId, actor.token]))
    try {
      const owned = await store.stillOwned(tokens)
      // One that has claimed anew meanwhile asked with a token of the past.
      const stale = asked.filter((actor) => !owned.has(actor.conversationId) && actor.token === tokens.get(actor.conversationId))
      for (const actor of stale) actor.drop()
      if (stale.length > 0) logger.warn({ conversations: stale.length }, 'conversations have another owner now')
    } catch (error) {
      logger.warn({ err: error }, 'ownership could not be checked')
    }
  }
}
