/**
 * The actors of this process by conversation. Concurrent activations of one conversation share one claim; a command for
 * one that is being passivated waits, and activates it again.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { ConversationStore, DrawnConversation, MakeConversation } from '../../storage/conversation-store.ts'
import { ConversationActor, type ActorHost } from './actor.ts'

const passivateAfterMs = 60_000
const sweepMs = 5_000

export interface DirectoryOptions {
  readonly host: ActorHost
  readonly store: ConversationStore
  /** Actors kept in memory; above it, idle ones go at once. */
  readonly maxActors: number
}

/** Where a conversation is: with an actor of this process now, or owned by the edge of another node, which lives. */
export type Found = { readonly type: 'here'; readonly actor: ConversationActor } | { readonly type: 'elsewhere'; readonly node: string; readonly bootId: string }

export class ActorDirectory {
  readonly #options: DirectoryOptions
  readonly #actors = new Map<number, ConversationActor>()
  readonly #activating = new Map<number, Promise<Found>>()
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

  /**
   * Claims the conversation where nobody has it, or the one who had is dead; by `force` also where that one lives. Rejects
   * with ChatError: `conversation_not_found`, `unavailable`, `draining`.
   */
  find(conversationId: number, options: { readonly force?: boolean } = {}): Promise<Found> {
    const actor = this.#actors.get(conversationId)
    if (actor !== undefined) return Promise.resolve({ type: 'here', actor })
    if (this.#closed) return Promise.reject(new ChatError('draining'))
    const { force = false } = options
    const shared = this.#activating.get(conversationId)
    // One that does not force may find what this is to overrule.
    if (shared !== undefined) return force ? shared.then((found) => (found.type === 'here' ? found : this.find(conversationId, options))) : shared
    const activation = this.#activate(conversationId, force).finally(() => this.#activating.delete(conversationId))
    this.#activating.set(conversationId, activation)
    return activation
  }

  /** As `find`; rejects with `moved` where another edge has it. */
  async get(conversationId: number): Promise<ConversationActor> {
    const found = await this.find(conversationId)
    if (found.type === 'elsewhere') throw new ChatError('moved')
    return found.actor
  }

  /**
   * An actor for a conversation that its first write makes: until then nobody finds it. To be dropped where that write
   * fails. Throws ChatError `draining`.
   */
  toMake({ conversationId, token }: DrawnConversation, make: MakeConversation): ConversationActor {
    if (this.#closed) throw new ChatError('draining')
    const { userId, title, model, system } = make
    const { host } = this.#options
    return new ConversationActor(host, token, { conversationId, userId, title, model, system, updatedAt: host.now(), lastMessageId: null }, [], make)
  }

  /** As ActorHost tells. */
  made(actor: ConversationActor): void {
    this.#actors.set(actor.conversationId, actor)
    if (this.#closed) void this.#passivate(actor)
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

  async #activate(conversationId: number, force: boolean): Promise<Found> {
    await this.#passivating.get(conversationId)
    const claimed = await this.#options.store.claim(conversationId, { force })
    if (claimed.status === 'not_found') throw new ChatError('conversation_not_found')
    if (claimed.status === 'owned') return { type: 'elsewhere', node: claimed.node, bootId: claimed.bootId }
    if (this.#closed) {
      await this.#options.store.release(conversationId, claimed.token)
      throw new ChatError('draining')
    }
    const actor = new ConversationActor(this.#options.host, claimed.token, claimed.conversation, claimed.unfinished)
    this.#actors.set(conversationId, actor)
    actor.activate()
    return { type: 'here', actor }
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
