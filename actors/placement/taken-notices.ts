/** Tells an edge of conversations that were taken from it by force, and hears of those that were taken from this one. */
import { decodeTakenNotice, encodeBus } from '../../protocol/bus/codec.ts'
import { busVersion, takenSubject } from '../../protocol/bus/subjects.ts'
import { BusError, type Channel, type ChannelMessage, type Subscription } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'

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

  constructor(options: TakenNoticesOptions) {
    this.#options = options
  }

  start(): void {
    const { channel, node } = this.#options
    this.#subscription ??= channel.subscribe(takenSubject(node), (message) => this.#receive(message))
  }

  stop(): void {
    this.#subscription?.unsubscribe()
    this.#subscription = null
  }

  /** Lost where the bus is away: then that edge looks by itself when it comes back. */
  tell(node: string, conversationId: number): void {
    try {
      this.#options.channel.publish(takenSubject(node), encodeBus({ v: busVersion, conversation_ids: [conversationId] }))
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
