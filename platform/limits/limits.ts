/** How often something may be done by somebody. Nothing here rejects: a limit that cannot be shared is kept by each process for itself. */
export interface LimitDefinition {
  /** Part of the keys in Redis. A name never stands for two limits. */
  readonly name: string
  /** Points that a key has in each window, which begins with its first use. Whole numbers. */
  readonly points: number
  readonly perSeconds: number
}

export interface LimitVerdict {
  readonly allowed: boolean
  /** Points left in this window. */
  readonly remaining: number
  /** Until the next window; 0 where allowed. */
  readonly retryAfterMs: number
}

export interface Limit {
  /** `cost` is 1 where absent. What is refused costs nothing more: the window ends all the same. */
  take(key: string, cost?: number): Promise<LimitVerdict>
  /** For what was taken and, after all, not used. */
  giveBack(key: string, cost?: number): Promise<void>
}

export interface Limits {
  limit(definition: LimitDefinition): Limit
}
