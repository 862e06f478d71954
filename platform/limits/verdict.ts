/** Turns what a limiter of rate-limiter-flexible does into a verdict. */
import { RateLimiterRes, type RateLimiterAbstract } from 'rate-limiter-flexible'
import type { LimitVerdict } from './limits.ts'

/** Rejects where the limiter could not tell. */
export async function takeFrom(limiter: RateLimiterAbstract, key: string, cost: number): Promise<LimitVerdict> {
  try {
    const { remainingPoints } = await limiter.consume(key, cost)
    return { allowed: true, remaining: remainingPoints, retryAfterMs: 0 }
  } catch (refusal) {
    if (!(refusal instanceof RateLimiterRes)) throw refusal
    return { allowed: false, remaining: refusal.remainingPoints, retryAfterMs: Math.max(1, refusal.msBeforeNext) }
  }
}
