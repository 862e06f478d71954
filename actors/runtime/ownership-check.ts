/**
 * Asks the store whether this process still owns its conversations, whenever it may have been taken for dead: after it
 * stood still for longer than its sign of life is good for, when it could not renew that and can again, when the bus comes
 * back, and every 5 s while the bus is away. And every 10 s in any case: who takes a conversation by force may have no bus
 * to say so. The fence keeps a stale owner from writing; this keeps it from showing, and its clients from waiting for what
 * does not come.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { Channel } from '../../platform/bus/channel.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import type { ConversationActor } from './actor.ts'

const tickMs = 500
/** Less than the 5 s after which a silent node counts as dead. */
const longestGapMs = 4_000
const whileBusIsAwayMs = 5_000
const inAnyCaseMs = 10_000
const retryMs = 1_000

export interface OwnershipCheckOptions {
  readonly store: Pick<ConversationStore, 'stillOwned'>
  readonly channel: Pick<Channel, 'status' | 'onStatus'>
  readonly logger: Logger
  readonly monotonic: () => number
  readonly actors: () => Iterable<ConversationActor>
  /** Whether this process could not renew its sign of life lately: anywhere, or where this conversation is. */
  readonly lapsed: (conversationId?: number) => boolean
  /** It stood still, and nobody has told it what happened meanwhile. */
  readonly onPause: () => void
}

export class OwnershipCheck {
  readonly #options: OwnershipCheckOptions
  #timer: NodeJS.Timeout | null = null
  #unsubscribe: () => void = () => undefined
  #tickedAt = 0
  #checkedAt = 0
  #hasLapsed = false
  #checking: Promise<boolean> | null = null
  #recovering: Promise<void> | null = null

  constructor(options: OwnershipCheckOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#timer !== null) return
    const { channel, monotonic } = this.#options
    this.#tickedAt = this.#checkedAt = monotonic()
    this.#timer = setInterval(() => this.#tick(), tickMs)
    this.#unsubscribe = channel.onStatus((status) => {
      if (status === 'connected') void this.check()
    })
  }

  async stop(): Promise<void> {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    this.#unsubscribe()
    await Promise.all([this.#checking, this.#recovering])
  }

  /**
   * Whether nothing may be shown now: this process stood still, and does not know yet what it owns. What came meanwhile is
   * read before any timer fires, so that this is to be asked before anything is sent.
   */
  get holds(): boolean {
    if (this.#timer !== null && this.#options.monotonic() - this.#tickedAt >= longestGapMs) this.#recover()
    return this.#recovering !== null
  }

  /** Drops the actors whose conversations others own. Concurrent callers share one look. False where it could not be told. */
  check(): Promise<boolean> {
    if (this.#checking === null) {
      this.#checkedAt = this.#options.monotonic()
      this.#checking = this.#check([...this.#options.actors()]).finally(() => {
        this.#checking = null
      })
    }
    return this.#checking
  }

  /** Rejects with `moved` where the conversation has been lost, `unavailable` where that cannot be told. Asks nobody while this process shows signs of life. */
  async confirm(actor: ConversationActor): Promise<void> {
    if (!this.#options.lapsed(actor.conversationId)) return
    if (!(await this.#check([actor]))) throw new ChatError('unavailable')
    if (actor.isDropped) throw new ChatError('moved')
  }

  /** Somebody says that these actors' conversations were taken. Never rejects. */
  async suspect(actors: readonly ConversationActor[]): Promise<void> {
    await this.#check(actors)
  }

  #tick(): void {
    const { channel, monotonic, lapsed } = this.#options
    const now = monotonic()
    if (now - this.#tickedAt >= longestGapMs) this.#recover()
    this.#tickedAt = now
    const hadLapsed = this.#hasLapsed
    this.#hasLapsed = lapsed()
    const isDue = now - this.#checkedAt >= (channel.status === 'disconnected' ? whileBusIsAwayMs : inAnyCaseMs)
    if (isDue || (hadLapsed && !this.#hasLapsed)) void this.check()
  }

  #recover(): void {
    if (this.#recovering !== null) return
    this.#tickedAt = this.#options.monotonic()
    this.#options.logger.warn('this process stood still: it asks what it owns before it goes on')
    this.#recovering = this.#untilChecked().finally(() => {
      this.#recovering = null
    })
    this.#options.onPause()
  }

  async #untilChecked(): Promise<void> {
    // The one under way may have been asked before.
    await this.#checking
    while (!(await this.check()) && this.#timer !== null) await new Promise((resolve) => setTimeout(resolve, retryMs))
  }

  async #check(asked: readonly ConversationActor[]): Promise<boolean> {
    const { store, logger } = this.#options
    if (asked.length === 0) return true
    const tokens = new Map(asked.map((actor) => [actor.conversationId, actor.token]))
    const { owned, unknown } = await store.stillOwned(tokens)
    // One that has claimed anew meanwhile asked with a token of the past.
    const stale = asked.filter((actor) => !owned.has(actor.conversationId) && !unknown.has(actor.conversationId) && actor.token === tokens.get(actor.conversationId))
    for (const actor of stale) actor.drop()
    if (stale.length > 0) logger.warn({ conversations: stale.length }, 'conversations have another owner now')
    return unknown.size === 0
  }
}
