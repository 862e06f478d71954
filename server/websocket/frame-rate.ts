/**
 * A token bucket over the frames of one connection. It holds two seconds' worth. A frame that finds it empty is refused,
 * and runs up a debt: who waits as long as told is in order again, and who sends on until the debt is as large as the
 * bucket is abusing the connection.
 */
export type FrameVerdict = 'allowed' | 'refused' | 'abuse'

const secondsHeld = 2
/** What a frame costs: credit grows by the rate each millisecond, in whole numbers, so that who waits as told has enough. */
const frameCost = 1000

export class FrameRate {
  readonly #perSecond: number
  #credit: number
  #at: number

  /** `now` in monotonic milliseconds, as in `take`. */
  constructor(perSecond: number, now: number) {
    this.#perSecond = perSecond
    this.#credit = perSecond * secondsHeld * frameCost
    this.#at = now
  }

  take(now: number): FrameVerdict {
    const most = this.#perSecond * secondsHeld * frameCost
    this.#credit = Math.min(most, this.#credit + (now - this.#at) * this.#perSecond) - frameCost
    this.#at = now
    if (this.#credit >= 0) return 'allowed'
    return this.#credit < -most ? 'abuse' : 'refused'
  }

  /** How long until a frame is allowed again, in whole milliseconds. */
  get retryAfterMs(): number {
    return Math.max(0, Math.ceil((frameCost - this.#credit) / this.#perSecond))
  }
}
