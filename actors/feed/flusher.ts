/**
 * One flush for all conversations of the process: what is urgent (events, a turn's first text) in the next turn of the
 * event loop, so that a burst shares one pass; text every 25 ms, up to 100 ms as the event loop lags.
 */
import type { Feed, FeedSchedule } from './feed.ts'

const shortestMs = 25
const longestMs = 100

export class Flusher implements FeedSchedule {
  readonly #monotonic: () => number
  readonly #isHeld: () => boolean
  #urgent = new Set<Feed>()
  #dirty = new Set<Feed>()
  #immediate: NodeJS.Immediate | null = null
  #timer: NodeJS.Timeout | null = null
  #intervalMs = shortestMs

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
        for (const each of feeds) {
          this.#dirty.delete(each)
          each.flush()
        }
      })
      return
    }
    this.#dirty.add(feed)
    if (this.#timer === null) this.#arm()
  }

  #arm(): void {
    const due = this.#monotonic() + this.#intervalMs
    this.#timer = setTimeout(() => {
      this.#timer = null
      const lagMs = Math.max(0, this.#monotonic() - due)
      // A loop that runs late gets fewer, larger frames: a write costs the same whatever it holds.
      this.#intervalMs = Math.min(longestMs, Math.max(shortestMs, shortestMs + lagMs * 2))
      const feeds = this.#dirty
      this.#dirty = new Set()
      for (const feed of feeds) feed.flush()
    }, this.#intervalMs)
  }

  /** Sends what is due, where it may be sent, and stops the timers. */
  close(): void {
    for (const feed of new Set([...this.#urgent, ...this.#dirty])) if (!this.held) feed.flush()
    if (this.#timer !== null) clearTimeout(this.#timer)
    if (this.#immediate !== null) clearImmediate(this.#immediate)
    this.#timer = null
    this.#immediate = null
    this.#urgent.clear()
    this.#dirty.clear()
  }
}
