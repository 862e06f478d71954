/** How often something may be done by somebody. Nothing here rejects: a limit that cannot be shared is kept by each process for itself. */
export interface LimitDefinition {
  /**
   * Part of the keys in Redis. Limits of one name count together, each with its own points, so that a plan may allow
   * more than another: they must have the same window.
   */
  readonly name: string
  /** Points that a key has in each window, which begins with its first use. Whole numbers. */
  readonly points: number
  readonly perSeconds: number
}

export interface LimitVerdict {
  readonly allowed: boolean
  /** Points left in this window. */
  readonly remaining: number
  /** Until the next window. */
  readonly resetMs: number
  /** Until the next window where refused; 0 where allowed. */
  readonly retryAfterMs: number
}

export interface Limit {
  /** `cost` is 1 where absent; 0 only looks whether anything is left. What is refused costs nothing. */
  take(key: string, cost?: number): Promise<LimitVerdict>
  /** For what is known only afterwards: also beyond what is left, and nothing is allowed then until the window ends. */
  charge(key: string, cost: number): Promise<void>
  /** For what was taken and, after all, not used. */
  giveBack(key: string, cost?: number): Promise<void>
}

export interface Limits {
  limit(definition: LimitDefinition): Limit
}
