/**
 * A token bucket over the frames of one connection. It holds two seconds' worth. A frame that finds it empty is refused,
 * and runs up a debt: who waits as long as told is in order again, and who sends on until the debt is as large as the
 * bucket is abusing the connection.
 */
export type FrameVerdict = 'allowed' | 'refused' | 'abuse'

const secondsHeld = 2

export class FrameRate {
  readonly #perSecond: number
  #tokens: number
  #at: number

  /** `now` in monotonic milliseconds, as in `take`. */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#tokens = perSecond * secondsHeld
    this.#at = now
  }

  take(now: number): FrameVerdict {
    const most = this.#perSecond * secondsHeld
    this.#tokens = Math.min(most, this.#tokens + ((now - this.#at) / 1000) * this.#perSecond) - 1
    this.#at = now
    if (this.#tokens >= 0) return 'allowed'
    return this.#tokens < -most ? 'abuse' : 'refused'
  }

  /** How long until a frame is allowed again, in whole milliseconds. */
  get retryAfterMs(): number {
    return Math.max(0, Math.ceil(((1 - this.#tokens) / this.#perSecond) * 1000))
  }
}
