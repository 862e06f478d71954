/**
 * The time between two flushes of text: short while that costs little, longer as flushes take much of the event loop's time
 * or as it lags.
 */
const shortestMs = 25
/** As long as the event loop keeps up: two tokens of a slow model in one frame would come further apart than people read. */
const longestPunctualMs = 40
const longestMs = 100
/** What flushes may take of the event loop's time for the interval to stay short. Fewer, larger frames make many streams cheap, as a write costs the same whatever it holds. */
const largestShare = 1 / 6
/** Of the newest flush in the figures that count: one that a collection of garbage made long or late is no reason to wait. */
const weight = 1 / 4

export class FlushInterval {
  #ms = shortestMs
  /** What a flush takes and how late it begins, smoothed. */
  #flushMs = 0
  #lagMs = 0

  /** Milliseconds from one flush to the next. */
  get ms(): number {
    return this.#ms
  }

  /** A flush that was due `lagMs` before it began took `tookMs`. */
  flushed(lagMs: number, tookMs: number): void {
    this.#lagMs += (lagMs - this.#lagMs) * weight
    this.#flushMs += (tookMs - this.#flushMs) * weight
    const punctualMs = Math.min(longestPunctualMs, this.#flushMs / largestShare)
    this.#ms = Math.min(longestMs, Math.max(punctualMs, shortestMs + this.#lagMs))
  }
}
