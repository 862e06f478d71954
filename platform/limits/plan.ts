/** What a plan allows. Names and units are those of the plans' file, of metrics and of what clients are told. */
import type { Lane } from '../../protocol/bus/origin.ts'

/** Limits by windows, and how long those are in seconds. */
export const windows = {
  requests_per_minute: 60,
  turns_per_minute: 60,
  tokens_in_per_minute: 60,
  tokens_in_per_day: 86_400,
  tokens_out_per_minute: 60,
  tokens_out_per_day: 86_400,
} as const
export type WindowName = keyof typeof windows

/** Null: no limit. */
export type PlanWindows = { readonly [Name in WindowName]: number | null }

export interface Plan extends PlanWindows {
  readonly name: string
  readonly lane: Lane
  /** Turns accepted and not ended. */
  readonly concurrent_turns: number | null
  /** WebSockets of a user, on each edge. */
  readonly sockets: number
  /** Longest reply. */
  readonly max_tokens: number | null
}

export const defaultPlanName = 'default'

export class Plans {
  readonly #plans: ReadonlyMap<string, Plan>
  readonly #default: Plan
  readonly #unknown: (name: string) => void
  readonly #told = new Set<string>()

  /** One of `plans` is the default. `unknown` is called once for a name of none, and for 100 names at most. */
  constructor(plans: readonly Plan[], unknown: (name: string) => void) {
    this.#plans = new Map(plans.map((plan) => [plan.name, plan]))
    const found = this.#plans.get(defaultPlanName)
    if (found === undefined) throw new Error('there is no default plan')
    this.#default = found
    this.#unknown = unknown
  }

  get default(): Plan {
    return this.#default
  }

  has(name: string): boolean {
    return this.#plans.has(name)
  }

  /** The default where there is none of this name. */
  of(name: string): Plan {
    const plan = this.#plans.get(name)
    if (plan !== undefined) return plan
    if (this.#told.size < 100 && !this.#told.has(name)) {
      this.#told.add(name)
      this.#unknown(name)
    }
    return this.#default
  }

  /** Whether any plan limits this, so that it needs counting. */
  limits(name: WindowName): boolean {
    return [...this.#plans.values()].some((plan) => plan[name] !== null)
  }
}
