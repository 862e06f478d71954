/**
 * How many requests a payer has left in a minute, decided by what this process heard last and counted with the others'
 * afterwards, so that no request waits for it but a payer's first in a window. What is under way at the same moment on
 * several processes may be allowed beyond the limit.
 */
import type { Payer } from '../../actors/limits/payers.ts'
import type { PlanWindows } from '../../actors/limits/plan-windows.ts'

export interface RequestWindow {
  readonly allowed: boolean
  /** Of the whole window. */
  readonly points: number
  readonly remaining: number
  readonly resetMs: number
}

interface Heard {
  points: number
  remaining: number
  endsAt: number
}

const mostHeard = 10_000

export class RequestWindows {
  readonly #windows: PlanWindows
  readonly #monotonic: () => number
  /** The one whose window began first comes first. */
  readonly #heard = new Map<string, Heard>()

  constructor(windows: PlanWindows, monotonic: () => number) {
    this.#windows = windows
    this.#monotonic = monotonic
  }

  /** Null where the plan has no limit. */
  async take(payer: Payer): Promise<RequestWindow | null> {
    const now = this.#monotonic()
    const heard = this.#heard.get(payer.key)
    if (heard === undefined || heard.endsAt <= now || heard.points !== payer.plan.requests_per_minute) return this.#ask(payer)
    const resetMs = heard.endsAt - now
    if (heard.remaining <= 0) return { allowed: false, points: heard.points, remaining: 0, resetMs }
    heard.remaining -= 1
    void this.#count(payer, heard)
    return { allowed: true, points: heard.points, remaining: heard.remaining, resetMs }
  }

  async #ask(payer: Payer): Promise<RequestWindow | null> {
    const taken = await this.#windows.take(payer, 'requests_per_minute', 1)
    if (taken === null) return null
    const { verdict: { allowed, remaining, resetMs }, points } = taken
    this.#heard.delete(payer.key)
    this.#heard.set(payer.key, { points, remaining, endsAt: this.#monotonic() + resetMs })
    const [oldest] = this.#heard.keys()
    if (this.#heard.size > mostHeard && oldest !== undefined) this.#heard.delete(oldest)
    return { allowed, points, remaining, resetMs }
  }

  /** Others may have used what this process takes to be left. */
  async #count(payer: Payer, heard: Heard): Promise<void> {
    const taken = await this.#windows.take(payer, 'requests_per_minute', 1)
    if (taken !== null) heard.remaining = Math.min(heard.remaining, taken.verdict.remaining)
  }
}
