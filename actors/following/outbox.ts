/** What is to be sent to one edge: gathered for a few milliseconds, in the order in which it happened. */
import { encodeBus } from '../../protocol/bus/codec.ts'
import type { FollowedBatch, FollowedItem } from '../../protocol/bus/following.ts'
import { busVersion, followedSubject } from '../../protocol/bus/subjects.ts'
import { BusError, type Channel } from '../../platform/bus/channel.ts'

/** The edge that follows gathers frames for its clients by itself: this only joins what comes at the same time. */
const flushMs = 5
const batchBytes = 256 * 1024

export interface OutboxOptions {
  readonly channel: Pick<Channel, 'publish'>
  /** The edge that sends, and that which follows. */
  readonly from: string
  readonly to: string
  /** Called before items leave. */
  readonly onFlush: () => void
}

export class Outbox {
  readonly #options: OutboxOptions
  #items: FollowedItem[] = []
  #bytes = 0
  #timer: NodeJS.Timeout | null = null
  #immediate: NodeJS.Immediate | null = null

  constructor(options: OutboxOptions) {
    this.#options = options
  }

  post(item: FollowedItem, urgent: boolean): void {
    const size = sizeOf(item)
    if (this.#bytes > 0 && this.#bytes + size > batchBytes) this.flush()
    this.#items.push(item)
    this.#bytes += size
    if (urgent) this.#immediate ??= setImmediate(() => this.flush())
    else if (this.#immediate === null) this.#timer ??= setTimeout(() => this.flush(), flushMs)
  }

  /** What the bus does not take is lost, and noticed by the next digest. */
  flush(digest?: FollowedBatch['digest']): void {
    this.close()
    if (this.#items.length > 0) {
      this.#options.onFlush()
      this.#publish(this.#items)
      this.#items = []
      this.#bytes = 0
    }
    // By itself: it may fill a message.
    if (digest !== undefined) this.#publish([], digest)
  }

  #publish(items: FollowedItem[], digest?: FollowedBatch['digest']): void {
    const batch: FollowedBatch = { v: busVersion, edge: this.#options.from, items, ...(digest === undefined ? {} : { digest }) }
    try {
      this.#options.channel.publish(followedSubject(this.#options.to), encodeBus(batch))
    } catch (error) {
      if (!(error instanceof BusError)) throw error
    }
  }

  /** Stops the timers; what was posted stays for a flush. */
  close(): void {
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
  }
}

/** Bytes on the bus, at most: text is three bytes a code unit there, at most. Growing text counts as it was posted, which its flush time bounds. */
function sizeOf([, , , kind, content]: FollowedItem): number {
  switch (kind) {
    case 'start':
      return 200 + 3 * (content?.text.length ?? 0)
    case 'text':
      return 200 + 3 * content.text.length
    case 'opened':
      return 2_000 + content.opened.messages.reduce((sum, message) => sum + 600 + 3 * message.content.length, 0) + content.opened.turns.reduce((sum, turn) => sum + 400 + 3 * turn.text.length, 0)
    case 'event':
      return content.type === 'message.added' ? 800 + 3 * content.message.content.length : 1_000
    case 'moved':
      return 100
  }
}
