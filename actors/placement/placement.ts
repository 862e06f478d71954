/**
 * Carries work out where a conversation is: with its actor here, or at the edge that owns it. The owner is looked up in
 * Postgres, whose claim takes over what nobody has. One that does not answer is asked again until it is declared dead,
 * or taken from it by force: the fence keeps it from writing, should it live after all.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { ChatError } from '../../protocol/errors.ts'
import type { ConversationActor } from '../runtime/actor.ts'
import type { ActorDirectory } from '../runtime/directory.ts'
import { OwnerAway, type OwnerAwayHow } from './owner-away.ts'

/**
 * An owner that was away for this long may lose what it owns to whoever asks. One that is there and does not answer is
 * most often busy, and to take from it would make it busier: it has the time in which its own signs of life, or those of
 * its connection, end by themselves.
 */
const takenAfterMs: Readonly<Record<Exclude<OwnerAwayHow, 'moved'>, number>> = { absent: 2_000, silent: 15_000 }
/** Two that cannot reach each other must not take a conversation from one another again and again. */
const forceEveryMs = 10_000
/** Longer than a node that died is taken for alive. */
const patienceMs = 8_000
const retryMs = 150
/** That an owner was away is forgotten this long after it was noticed last. */
const absenceForgottenMs = 10_000
/** Owners that were away, and conversations taken by force, that are remembered: the latest of each. */
const rememberedOwners = 1_000
const rememberedForces = 100_000

interface Owner {
  readonly node: string
  readonly bootId: string
}

export interface PlacementOptions {
  readonly directory: ActorDirectory
  /** Milliseconds that never go back. */
  readonly monotonic: () => number
  /** Ends what waits when the process stops. */
  readonly signal: AbortSignal
  /** A conversation was taken from a node that may live: it is to hear of that. */
  readonly onTaken: (node: string, conversationId: number) => void
}

export class Placement {
  readonly #options: PlacementOptions
  /** By node and boot: since when it has been away, and when that was noticed last. */
  readonly #away = new Map<string, { readonly since: number; readonly last: number }>()
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
    let awayNode: string | null = null
    if (owner !== undefined && directory.peek(conversationId) === undefined) {
      const asked = await attempt(there(owner))
      if (asked.type === 'done') return asked.value
      if (asked.type !== 'moved') awayNode = owner
    }
    for (;;) {
      const found = await directory.find(conversationId)
      const askedAt = found.type === 'elsewhere' && found.node === awayNode ? beganAt : monotonic()
      const asked = await attempt(found.type === 'here' ? here(found.actor) : there(found.node))
      if (found.type === 'elsewhere') {
        if (asked.type === 'done' || asked.type === 'moved') this.#away.delete(bootOf(found))
        else if (this.#mayForce(conversationId, found, asked.type, askedAt)) await this.#force(conversationId, found.node)
      }
      if (asked.type === 'done') return asked.value
      if (monotonic() - beganAt >= within) throw new ChatError('moved')
      await this.#pause()
    }
  }

  #mayForce(conversationId: number, owner: Owner, how: keyof typeof takenAfterMs, askedAt: number): boolean {
    const now = this.#options.monotonic()
    const boot = bootOf(owner)
    const known = this.#away.get(boot)
    const since = known === undefined || now - known.last > absenceForgottenMs ? askedAt : known.since
    remember(this.#away, boot, { since, last: now }, rememberedOwners)
    const before = this.#forcedAt.get(conversationId)
    return now - since >= takenAfterMs[how] && (before === undefined || now - before >= forceEveryMs)
  }

  async #force(conversationId: number, node: string): Promise<void> {
    const { directory, monotonic, onTaken } = this.#options
    const found = await directory.find(conversationId, { force: true })
    if (found.type !== 'here') return
    remember(this.#forcedAt, conversationId, monotonic(), rememberedForces)
    onTaken(node, conversationId)
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
async function attempt<T>(work: Promise<T>): Promise<{ readonly type: 'done'; readonly value: T } | { readonly type: OwnerAwayHow }> {
  try {
    return { type: 'done', value: await work }
  } catch (error) {
    if (error instanceof OwnerAway) return { type: error.how }
    if (error instanceof ChatError && error.code === 'moved') return { type: 'moved' }
    throw error
  }
}

function bootOf({ node, bootId }: Owner): string {
  return `${node}/${bootId}`
}

/** Puts it last; the first goes where there are too many. */
function remember<K, V>(memory: Map<K, V>, key: K, value: V, most: number): void {
  memory.delete(key)
  memory.set(key, value)
  if (memory.size > most) memory.delete(memory.keys().next().value as K)
}
