/** Limits that hold in this process alone. */
import { createHash } from 'node:crypto'
import { RateLimiterMemory } from 'rate-limiter-flexible'
import type { Limit, LimitDefinition, Limits, LimitVerdict } from '../limits.ts'
import { verdictOf } from '../verdict.ts'

export interface MemoryLimitsOptions {
  readonly monotonic: () => number
  /** Keys of a name with a count of their own in each window, 100,000 where absent: those beyond share counts. */
  readonly mostKeys?: number
}

const defaultMostKeys = 100_000
const sharedCounts = 1024

export class MemoryLimits implements Limits {
  readonly #options: MemoryLimitsOptions
  readonly #counts = new Map<string, Counts>()

  constructor(options: MemoryLimitsOptions) {
    this.#options = options
  }

  limit(definition: LimitDefinition): Limit {
    const { name, points, perSeconds } = definition
    let counts = this.#counts.get(name)
    if (counts === undefined) this.#counts.set(name, (counts = new Counts(perSeconds, this.#options)))
    return new MemoryLimit(counts, points)
  }
}

class MemoryLimit implements Limit {
  readonly #counts: Counts
  readonly #points: number

  constructor(counts: Counts, points: number) {
    this.#counts = counts
    this.#points = points
  }

  async take(key: string, cost = 1): Promise<LimitVerdict> {
    const count = await this.#counts.countOf(key)
    const { limiter } = this.#counts
    const verdict = verdictOf(await limiter.penalty(count, cost), this.#points, cost)
    if (!verdict.allowed) await limiter.reward(count, cost)
    return verdict
  }

  async charge(key: string, cost: number): Promise<void> {
    await this.#counts.limiter.penalty(await this.#counts.countOf(key), cost)
  }

  async giveBack(key: string, cost = 1): Promise<void> {
    const count = await this.#counts.countOf(key)
    const { limiter } = this.#counts
    const used = (await limiter.get(count))?.consumedPoints ?? 0
    if (used > 0) await limiter.reward(count, Math.min(cost, used))
  }
}

/** What was used under one name. */
class Counts {
  /** Only counts: how much is too much is the limit's to say. */
  readonly limiter: RateLimiterMemory
  readonly #monotonic: () => number
  readonly #mostKeys: number
  readonly #windowMs: number
  #windowEnd = 0
  #newKeys = 0

  constructor(perSeconds: number, { monotonic, mostKeys = defaultMostKeys }: MemoryLimitsOptions) {
    this.limiter = new RateLimiterMemory({ points: Number.MAX_SAFE_INTEGER, duration: perSeconds })
    this.#monotonic = monotonic
    this.#mostKeys = mostKeys
    this.#windowMs = perSeconds * 1000
  }

  /** A key's own count, or one that it shares. No more than twice the most keys have one of their own at a time. */
  async countOf(key: string): Promise<string> {
    const now = this.#monotonic()
    if (now >= this.#windowEnd) {
      this.#windowEnd = now + this.#windowMs
      this.#newKeys = 0
    }
    const own = `own ${key}`
    if ((await this.limiter.get(own)) !== null) return own
    if (this.#newKeys >= this.#mostKeys) return `shared ${createHash('sha256').update(key).digest().readUInt16LE() % sharedCounts}`
    this.#newKeys += 1
    return own
  }
}
