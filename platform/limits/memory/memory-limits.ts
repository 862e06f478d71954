/** Limits that hold in this process alone. */
import { createHash } from 'node:crypto'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Limit, LimitDefinition, Limits, LimitVerdict } from '../limits.ts'
import { takeFrom } from '../verdict.ts'

export interface MemoryLimitsOptions {
  readonly monotonic: () => number
  /** Keys with a count of their own in each window, 100,000 where absent: those beyond share counts. */
  readonly mostKeys?: number
}

const defaultMostKeys = 100_000
const sharedCounts = 1024

export class MemoryLimits implements Limits {
  readonly #options: MemoryLimitsOptions

  constructor(options: MemoryLimitsOptions) {
    this.#options = options
  }

  limit(definition: LimitDefinition): Limit {
    return new MemoryLimit(definition, this.#options)
  }
}

class MemoryLimit implements Limit {
  readonly #limiter: RateLimiterMemory
  readonly #monotonic: () => number
  readonly #mostKeys: number
  readonly #windowMs: number
  #windowEnd = 0
  #newKeys = 0

  constructor({ points, perSeconds }: LimitDefinition, { monotonic, mostKeys = defaultMostKeys }: MemoryLimitsOptions) {
    this.#limiter = new RateLimiterMemory({ points, duration: perSeconds })
    this.#monotonic = monotonic
    this.#mostKeys = mostKeys
    this.#windowMs = perSeconds * 1000
  }

  async take(key: string, cost = 1): Promise<LimitVerdict> {
    return takeFrom(this.#limiter, await this.#countOf(key), cost)
  }

  async giveBack(key: string, cost = 1): Promise<void> {
    const count = await this.#countOf(key)
    if ((await this.#limiter.get(count)) !== null) await this.#limiter.reward(count, cost)
  }

  /** A key's own count, or one that it shares. No more than twice the most keys have one of their own at a time. */
  async #countOf(key: string): Promise<string> {
    const now = this.#monotonic()
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + this.#windowMs
      this.#newKeys = 0
    }
    const own = `own ${key}`
    if ((await this.#limiter.get(own)) !== null) return own
    if (this.#newKeys >= this.#mostKeys) return `shared ${createHash('sha256').update(key).digest().readUInt16LE() % sharedCounts}`
    this.#newKeys += 1
    return own
  }
}
