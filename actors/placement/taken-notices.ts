/** Tells an edge of conversations that were taken from it by force, and hears of those that were taken from this one. */
import { decodeTakenNotice, encodeBus } from '../../protocol/bus/codec.ts'
import { busVersion, takenSubject } from '../../protocol/bus/subjects.ts'
import { BusError, type Channel, type ChannelMessage, type Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'

/** Notices that wait for the bus, at most: an edge of which none is kept looks by itself before long. */
const mostWaiting = 10_000
/** Of one message. */
const mostNamed = 1_000

export interface TakenNoticesOptions {
  readonly channel: Channel
  readonly node: string
  readonly refusals: Refusals
  /** These may be another's now: Postgres knows. */
  readonly check: (conversationIds: readonly number[]) => void
}

export class TakenNotices {
  readonly #options: TakenNoticesOptions
  #subscription: Subscription | null = null
  #unwatch: () => void = () => undefined
  /** Conversation and the node it was taken from. */
  #waiting = new Map<number, string>()

  constructor(options: TakenNoticesOptions) {
    this.#options = options
  }

  start(): void {
    if (this.#subscription !== null) return
    const { channel, node } = this.#options
    this.#subscription = channel.subscribe(takenSubject(node), (message) => this.#receive(message))
    this.#unwatch = channel.onStatus((status) => {
      if (status === 'connected') this.#sendWaiting()
    })
  }

  stop(): void {
    this.#unwatch()
    this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  /** At the return of the bus, where it is away: that edge may have it before, and nothing else tells it. */
  tell(node: string, conversationId: number): void {
    if (this.#options.channel.status === 'connected') return this.#send(node, [conversationId])
    if (this.#waiting.size < mostWaiting) this.#waiting.set(conversationId, node)
  }

  #sendWaiting(): void {
    const byNode = new Map<string, number[]>()
    for (const [conversationId, node] of this.#waiting) {
      const ids = byNode.get(node) ?? []
      ids.push(conversationId)
      byNode.set(node, ids)
    }
    this.#waiting.clear()
    for (const [node, ids] of byNode) for (let from = 0; from < ids.length; from += mostNamed) this.#send(node, ids.slice(from, from + mostNamed))
  }

  #send(node: string, conversationIds: number[]): void {
    try {
      this.#options.channel.publish(takenSubject(node), encodeBus({ v: busVersion, conversation_ids: conversationIds }))
    } catch (error) {
      if (!(error instanceof BusError)) throw error
    }
  }

  #receive(message: ChannelMessage): void {
    try {
      this.#options.check(decodeTakenNotice(message.payload).conversation_ids)
    } catch (error) {
      this.#options.refusals.failed(message.subject, error)
    }
  }
}
