/** Turns what a limiter of rate-limiter-flexible tells into a verdict. */
import type { RateLimiterRes } from 'rate-limiter-flexible'
import type { LimitVerdict } from './limits.ts'

/** `consumed` counts what was asked for, whether it was given or not. */
export function verdictOf({ consumedPoints, msBeforeNext }: Pick<RateLimiterRes, 'consumedPoints' | 'msBeforeNext'>, points: number, cost: number): LimitVerdict {
  const allowed = cost === 0 ? consumedPoints < points : consumedPoints <= points
  const resetMs = Math.max(1, msBeforeNext)
  const before = consumedPoints - cost
  return { allowed, remaining: Math.max(0, points - (allowed ? consumedPoints : before)), resetMs, retryAfterMs: allowed ? 0 : resetMs }
}
