/** The time between two flushes of text: short while that costs little, longer as the event loop lags or flushes take much of its time. */
const shortestMs = 25
const longestMs = 100
/** What flushes may take of the event loop's time for the interval to stay short. Fewer, larger frames make many streams cheap, as a write costs the same whatever it holds. */
const largestShare = 1 / 6
/** Of the newest flush in what a flush takes: one that a collection of garbage made long is no reason to wait. */
const weight = 1 / 4

export class FlushInterval {
  #ms = shortestMs
  /** What a flush takes, smoothed. */
  #flushMs = 0

  /** Milliseconds from one flush to the next. */
  get ms(): number {
    return this.#ms
  }

  /** A flush that was due `lagMs` before it began took `tookMs`. */
  flushed(lagMs: number, tookMs: number): void {
    this.#flushMs += (tookMs - this.#flushMs) * weight
    this.#ms = Math.min(longestMs, Math.max(shortestMs + lagMs * 2, this.#flushMs / largestShare))
  }
}
