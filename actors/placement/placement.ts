/**
 * Carries work out where a conversation is: with its actor here, or at the edge that owns it. The owner is looked up in
 * Postgres, whose claim takes over what nobody has. One that does not answer is asked again until it is declared dead,
 * or taken from it by force: the fence keeps it from writing, should it live after all.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ChatError } from '../../protocol/errors.ts'
import type { ConversationActor } from '../runtime/actor.ts'
import type { ActorDirectory } from '../runtime/directory.ts'

/** The owner's edge does not answer, or is not the owner any more: it may have happened what was asked, or not. */
export class OwnerAway extends Error {
  override readonly name = 'OwnerAway'
  /** `moved`: it has said so. `silent`: it, or the bus, does not answer. */
  readonly how: 'moved' | 'silent'

  constructor(how: 'moved' | 'silent', options?: ErrorOptions) {
    super(how === 'moved' ? 'the conversation has another owner' : 'the owner does not answer', options)
    this.how = how
  }
}

/** An owner that does not answer for this long may lose what it owns to whoever asks. */
const silenceMs = 2_000
/** Two that cannot reach each other must not take a conversation from one another again and again. */
const forceEveryMs = 10_000
/** Longer than a node that died is taken for alive. */
const patienceMs = 8_000
const retryMs = 150
/** A silence is forgotten this long after it was noticed last. */
const silenceForgottenMs = 10_000
/** Owners that were silent, and conversations taken by force, that are remembered: the latest of each. */
const rememberedOwners = 1_000
const rememberedForces = 100_000

export interface PlacementOptions {
  readonly directory: ActorDirectory
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
  /** Ends what waits when the process stops. */
  readonly signal: AbortSignal
}

export class Placement {
  readonly #options: PlacementOptions
  /** By node and boot: since when it has not answered, and when that was noticed last. */
  readonly #silent = new Map<string, { readonly since: number; readonly last: number }>()
  readonly #forcedAt = new Map<number, number>()

  constructor(options: PlacementOptions) {
    this.#options = options
  }

  /**
   * `there` rejects with OwnerAway to have the owner looked up again; whatever was asked before must be safe to repeat.
   * `owner`: the node that had it when this process looked last, which is asked first. Rejects with what `here` and `there`
   * reject with otherwise, with what `ActorDirectory.find` does, and with ChatError `moved` where no owner was found within
   * `within` milliseconds.
   */
  async run<T>(conversationId: number, here: (actor: ConversationActor) => Promise<T>, there: (node: string) => Promise<T>, { owner, within = patienceMs }: { readonly owner?: string | undefined; readonly within?: number } = {}): Promise<T> {
    const { directory, monotonic } = this.#options
    const beganAt = monotonic()
    let silentNode: string | null = null
    if (owner !== undefined && directory.peek(conversationId) === undefined) {
      const asked = await attempt(there(owner))
      if (asked.type === 'done') return asked.value
      if (asked.type === 'silent') silentNode = owner
    }
    for (;;) {
      const found = await directory.find(conversationId)
      const askedAt = found.type === 'elsewhere' && found.node === silentNode ? beganAt : monotonic()
      const asked = await attempt(found.type === 'here' ? here(found.actor) : there(found.node))
      if (found.type === 'elsewhere') {
        if (asked.type !== 'silent') this.#silent.delete(bootOf(found))
        else if (this.#mayForce(conversationId, bootOf(found), askedAt)) await this.#force(conversationId)
      }
      if (asked.type === 'done') return asked.value
      if (monotonic() - beganAt >= within) throw new ChatError('moved')
      await this.#pause()
    }
  }

  #mayForce(conversationId: number, boot: string, askedAt: number): boolean {
    const now = this.#options.monotonic()
    const known = this.#silent.get(boot)
    const since = known === undefined || now - known.last > silenceForgottenMs ? askedAt : known.since
    remember(this.#silent, boot, { since, last: now }, rememberedOwners)
    const before = this.#forcedAt.get(conversationId)
    return now - since >= silenceMs && (before === undefined || now - before >= forceEveryMs)
  }

  async #force(conversationId: number): Promise<void> {
    remember(this.#forcedAt, conversationId, this.#options.monotonic(), rememberedForces)
    await this.#options.directory.find(conversationId, { force: true })
  }

  async #pause(): Promise<void> {
    const { signal } = this.#options
    try {
      await delay(retryMs * (0.5 + Math.random()), undefined, { signal })
    } catch (error) {
      throw new ChatError('draining', undefined, { cause: error })
    }
  }
}

/** `moved` also where the actor here went while it was asked: it was passivated, or has moved. */
async function attempt<T>(work: Promise<T>): Promise<{ readonly type: 'done'; readonly value: T } | { readonly type: 'moved' | 'silent' }> {
  try {
    return { type: 'done', value: await work }
  } catch (error) {
    if (error instanceof OwnerAway) return { type: error.how }
    if (error instanceof ChatError && error.code === 'moved') return { type: 'moved' }
    throw error
  }
}

function bootOf({ node, bootId }: { readonly node: string; readonly bootId: string }): string {
  return `${node}/${bootId}`
}

/** Puts it last; the first goes where there are too many. */
function remember<K, V>(memory: Map<K, V>, key: K, value: V, most: number): void {
  memory.delete(key)
  memory.set(key, value)
  if (memory.size > most) memory.delete(memory.keys().next().value as K)
}
