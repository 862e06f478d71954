/**
 * One flush for all conversations of the process: what is urgent (events, a turn's first text) in the next turn of the
 * event loop, so that a burst shares one pass; text every 25 ms, up to 100 ms as the event loop lags, or as flushes take
 * much of its time.
 */
import type { Feed, FeedSchedule } from './feed.ts'
import { FlushInterval } from './flush-interval.ts'
import { flushTogether } from './flush-together.ts'

export class Flusher implements FeedSchedule {
  readonly #monotonic: () => number
  readonly #isHeld: () => boolean
  #urgent = new Set<Feed>()
  #dirty = new Set<Feed>()
  #immediate: NodeJS.Immediate | null = null
  #timer: NodeJS.Timeout | null = null
  readonly #interval = new FlushInterval()

  /** `isHeld`: nothing may be sent at the moment; it is asked again at each flush. */
  constructor(monotonic: () => number, isHeld: () => boolean = () => false) {
    this.#monotonic = monotonic
    this.#isHeld = isHeld
  }

  get held(): boolean {
    return this.#isHeld()
  }

  markDirty(feed: Feed, urgent: boolean): void {
    if (urgent) {
      this.#urgent.add(feed)
      this.#immediate ??= setImmediate(() => {
        this.#immediate = null
        const feeds = this.#urgent
        this.#urgent = new Set()
        for (const each of feeds) this.#dirty.delete(each)
        flushTogether(feeds)
      })
      return
    }
    this.#dirty.add(feed)
    if (this.#timer === null) this.#arm()
  }

  #arm(): void {
    const { ms } = this.#interval
    const due = this.#monotonic() + ms
    this.#timer = setTimeout(() => {
      this.#timer = null
      const began = this.#monotonic()
      const feeds = this.#dirty
      this.#dirty = new Set()
      flushTogether(feeds)
      this.#interval.flushed(Math.max(0, began - due), this.#monotonic() - began)
    }, ms)
  }

  /** Sends what is due, where it may be sent, and stops the timers. */
  close(): void {
    if (!this.held) flushTogether(new Set([...this.#urgent, ...this.#dirty]))
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
    this.#urgent.clear()
    this.#dirty.clear()
  }
}
