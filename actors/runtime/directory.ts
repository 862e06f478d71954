/**
 * The actors of this process by conversation. Concurrent activations of one conversation share one claim; a command for
 * one that is being passivated waits, and activates it again.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { ClaimResult, ConversationStore } from '../../storage/conversation-store.ts'
import { ConversationActor, type ActorHost } from './actor.ts'

/** A node that died is taken for alive for 5 s: a claim is tried again for longer. */
const claimPatienceMs = 6_500
const claimRetryMs = 250
const passivateAfterMs = 60_000
const sweepMs = 5_000

export interface DirectoryOptions {
  readonly host: ActorHost
  readonly store: ConversationStore
  /** Actors kept in memory; above it, idle ones go at once. */
  readonly maxActors: number
  readonly sleep: (ms: number) => Promise<void>
}

export class ActorDirectory {
  readonly #options: DirectoryOptions
  readonly #actors = new Map<number, ConversationActor>()
  readonly #activating = new Map<number, Promise<ConversationActor>>()
  readonly #passivating = new Map<number, Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #closed = false

  constructor(options: DirectoryOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#actors.size
  }

  start(): void {
    this.#timer ??= setInterval(() => this.#sweep(), sweepMs)
  }

  active(): Iterable<ConversationActor> {
    return this.#actors.values()
  }

  peek(conversationId: number): ConversationActor | undefined {
    return this.#actors.get(conversationId)
  }

  /** Rejects with ChatError: `conversation_not_found`, `moved` (another live node owns it), `unavailable`, `draining`. */
  get(conversationId: number): Promise<ConversationActor> {
    const actor = this.#actors.get(conversationId)
    if (actor !== undefined) return Promise.resolve(actor)
    if (this.#closed) return Promise.reject(new ChatError('draining'))
    const shared = this.#activating.get(conversationId)
    if (shared !== undefined) return shared
    const activation = this.#activate(conversationId).finally(() => this.#activating.delete(conversationId))
    this.#activating.set(conversationId, activation)
    return activation
  }

  forget(actor: ConversationActor): void {
    if (this.#actors.get(actor.conversationId) === actor) this.#actors.delete(actor.conversationId)
  }

  /** Gives up every conversation. Actors with unfinished turns go too: another owner takes them up. */
  async close(): Promise<void> {
    this.#closed = true
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
    await Promise.allSettled(this.#activating.values())
    for (const actor of [...this.#actors.values()]) void this.#passivate(actor)
    await Promise.allSettled(this.#passivating.values())
  }

  async #activate(conversationId: number): Promise<ConversationActor> {
    await this.#passivating.get(conversationId)
    const claimed = await this.#claim(conversationId)
    if (this.#closed) {
      await this.#options.store.release(conversationId, claimed.token)
      throw new ChatError('draining')
    }
    const actor = new ConversationActor(this.#options.host, claimed.token, claimed.conversation, claimed.unfinished)
    this.#actors.set(conversationId, actor)
    actor.activate()
    return actor
  }

  async #claim(conversationId: number): Promise<Extract<ClaimResult, { status: 'claimed' }>> {
    for (let waitedMs = 0; ; waitedMs += claimRetryMs) {
      const result = await this.#options.store.claim(conversationId)
      if (result.status === 'claimed') return result
      if (result.status === 'not_found') throw new ChatError('conversation_not_found')
      if (waitedMs >= claimPatienceMs || this.#closed) throw new ChatError('moved')
      await this.#options.sleep(claimRetryMs)
    }
  }

  #sweep(): void {
    const crowded = this.#actors.size > this.#options.maxActors
    const idleBefore = this.#options.host.now() - (crowded ? 0 : passivateAfterMs)
    for (const actor of this.#actors.values()) {
      if (actor.isIdle && actor.idleSince <= idleBefore) void this.#passivate(actor)
    }
  }

  #passivate(actor: ConversationActor): Promise<void> {
    const { conversationId } = actor
    this.#actors.delete(conversationId)
    const passivation = actor
      .retire()
      .then(() => this.#options.store.release(conversationId, actor.token))
      // A claim that stays behind is harmless: it is this node's own, or dead with it.
      .catch((error: unknown) => this.#options.host.fault('release failed', error, conversationId))
      .finally(() => this.#passivating.delete(conversationId))
    this.#passivating.set(conversationId, passivation)
    return passivation
  }
}
