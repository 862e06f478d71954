/** The windows of all plans, as limits. */
import type { Limit, Limits, LimitVerdict } from '../../platform/limits/limits.ts'
import { windows, type WindowName } from '../../platform/limits/plan.ts'
import type { Payer } from './payers.ts'

export interface Taken {
  readonly window: WindowName
  readonly points: number
  readonly verdict: LimitVerdict
  giveBack(): void
}

export class PlanWindows {
  readonly #limits: Limits
  readonly #made = new Map<string, Limit>()

  constructor(limits: Limits) {
    this.#limits = limits
  }

  /** Of one payer; null where the plan does not limit it. A cost beyond what a whole window has is that of a whole window. */
  async take({ key, plan }: Payer, window: WindowName, cost: number): Promise<Taken | null> {
    const points = plan[window]
    if (points === null) return null
    const limit = this.#limit(window, points)
    const taken = Math.min(cost, points)
    const verdict = await limit.take(key, taken)
    return { window, points, verdict, giveBack: () => void (verdict.allowed && taken > 0 ? limit.giveBack(key, taken) : undefined) }
  }

  /** What is known only afterwards: `cost` is given back where it is negative. */
  async charge(key: string, window: WindowName, cost: number): Promise<void> {
    const limit = this.#limit(window, 1)
    if (cost > 0) await limit.charge(key, cost)
    else if (cost < 0) await limit.giveBack(key, -cost)
  }

  #limit(window: WindowName, points: number): Limit {
    const name = `${window} ${points}`
    let limit = this.#made.get(name)
    if (limit === undefined) this.#made.set(name, (limit = this.#limits.limit({ name: window, points, perSeconds: windows[window] })))
    return limit
  }
}
