/**
 * One flush for all conversations of the process: what is urgent (events, a turn's first text) in the next turn of the
 * event loop, so that a burst shares one pass; other text then, too, where the last flush of text is long enough ago, and
 * else together when it is: after 25 ms, up to 40 as flushes take much of the event loop's time, up to 100 as it lags.
 */
import type { Feed, FeedSchedule } from './feed.ts'
import { FlushInterval } from './flush-interval.ts'
import { flushTogether } from './flush-together.ts'

export class Flusher implements FeedSchedule {
  readonly #monotonic: () => number
  readonly #isHeld: () => boolean
  readonly #interval = new FlushInterval()
  #soon = new Set<Feed>()
  #dirty = new Set<Feed>()
  #immediate: NodeJS.Immediate | null = null
  #timer: NodeJS.Timeout | null = null
  /** When text may be flushed again. */
  #dueAt = -Infinity
  /** Among what is flushed in the next turn of the event loop is text that was due. */
  #isDue = false

  /** `isHeld`: nothing may be sent at the moment; it is asked again at each flush. */
  constructor(monotonic: () => number, isHeld: () => boolean = () => false) {
    this.#monotonic = monotonic
    this.#isHeld = isHeld
  }

  get held(): boolean {
    return this.#isHeld()
  }

  markDirty(feed: Feed, urgent: boolean): void {
    if (urgent) return this.#flushSoon(feed)
    if (this.#timer === null) {
      const waitMs = this.#dueAt - this.#monotonic()
      if (waitMs <= 0) {
        this.#isDue = true
        return this.#flushSoon(feed)
      }
      this.#timer = setTimeout(() => this.#flushText(), waitMs)
    }
    this.#dirty.add(feed)
  }

  #flushSoon(feed: Feed): void {
    this.#soon.add(feed)
    this.#immediate ??= setImmediate(() => {
      this.#immediate = null
      const feeds = this.#soon
      this.#soon = new Set()
      for (const each of feeds) this.#dirty.delete(each)
      // Before the flush: a feed that is held is marked anew by it, and is to wait.
      if (this.#isDue) this.#dueAt = this.#monotonic() + this.#interval.ms
      this.#isDue = false
      flushTogether(feeds)
    })
  }

  #flushText(): void {
    const [due, began] = [this.#dueAt, this.#monotonic()]
    this.#timer = null
    this.#dueAt = began + this.#interval.ms
    const feeds = this.#dirty
    this.#dirty = new Set()
    flushTogether(feeds)
    this.#interval.flushed(Math.max(0, began - due), this.#monotonic() - began)
  }

  /** Sends what is due, where it may be sent, and stops the timers. */
  close(): void {
    if (!this.held) flushTogether(new Set([...this.#soon, ...this.#dirty]))
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
    this.#soon.clear()
    this.#dirty.clear()
  }
}
