/**
 * Counts wrong credentials by the address that they came from. Beyond the limit, an address gets nothing but
 * `rate_limited` for what is not known to be right already, without anything being looked up or verified: so it can
 * neither guess nor keep this process busy, and those behind the same address who are at work go on. Counts are shared by
 * all edges where limits are; that an address is over its limit each edge remembers for itself.
 */
import { LRUCache } from 'lru-cache'
import { ChatError } from '../../protocol/errors.ts'
import type { Limit } from '../../platform/limits/limits.ts'

const mostRemembered = 10_000

export class FailedAttempts {
  readonly #limit: Limit
  readonly #monotonic: () => number
  /** When each address may try again. */
  readonly #refusedUntil = new LRUCache<string, number>({ max: mostRemembered })

  constructor(limit: Limit, monotonic: () => number) {
    this.#limit = limit
    this.#monotonic = monotonic
  }

  /** The refusal, or null. */
  refusal(address: string): ChatError | null {
    const until = this.#refusedUntil.get(address)
    const waitMs = until === undefined ? 0 : until - this.#monotonic()
    return waitMs <= 0 ? null : new ChatError('rate_limited', 'Too many wrong credentials.', { retryAfterMs: Math.ceil(waitMs) })
  }

  async note(address: string): Promise<void> {
    const { allowed, retryAfterMs } = await this.#limit.take(address)
    if (!allowed) this.#refusedUntil.set(address, this.#monotonic() + retryAfterMs)
  }
}
