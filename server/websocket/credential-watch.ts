/**
 * Connections whose credentials may end: those that expire are told a minute before, or at half of their time where that
 * is later, and closed at their end; those of API keys that were revoked are closed within 5 s. One look a second for all.
 */
import type { Logger } from '../../platform/logging/logger.ts'
import type { Authenticator, Identity } from '../auth/authenticator.ts'

/** Before the expiry, at most. */
const toldMs = 60_000
const keysEveryMs = 5_000

export interface Watched {
  tellExpiring(expiresAt: number): void
  /** The credentials hold no longer. */
  credentialsEnded(): void
}

interface Entry {
  readonly expiresAt: number
  readonly toldAt: number
  readonly keyId: string | null
  isTold: boolean
}

export interface CredentialWatchOptions {
  readonly authenticator: Pick<Authenticator, 'holdingKeys'>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  readonly monotonic: () => number
  readonly logger: Logger
}

export class CredentialWatch {
  readonly #options: CredentialWatchOptions
  readonly #entries = new Map<Watched, Entry>()
  #keysAskedAt = 0
  #isAsking = false

  constructor(options: CredentialWatchOptions) {
    this.#options = options
  }

  /** Those of the connection from now on. */
  watch(watched: Watched, { expiresAt, keyId }: Identity): void {
    if (expiresAt === null && keyId === null) this.#entries.delete(watched)
    else {
      const ends = expiresAt ?? Infinity
      // A client that renews at once must not have to renew again at once.
      const aheadMs = expiresAt === null ? 0 : Math.min(toldMs, (expiresAt - this.#options.now()) / 2)
      this.#entries.set(watched, { expiresAt: ends, toldAt: ends - aheadMs, keyId, isTold: false })
    }
  }

  forget(watched: Watched): void {
    this.#entries.delete(watched)
  }

  tick(): void {
    const now = this.#options.now()
    for (const [watched, entry] of this.#entries) {
      if (entry.expiresAt <= now) this.#end(watched)
      else if (!entry.isTold && entry.toldAt <= now) {
        entry.isTold = true
        watched.tellExpiring(entry.expiresAt)
      }
    }
    if (this.#options.monotonic() - this.#keysAskedAt >= keysEveryMs) void this.#askKeys()
  }

  /** Never rejects. While the store is away, connections go on: they can do nothing that needs it. */
  async #askKeys(): Promise<void> {
    if (this.#isAsking) return
    this.#keysAskedAt = this.#options.monotonic()
    const asked = new Set([...this.#entries.values()].flatMap(({ keyId }) => keyId ?? []))
    if (asked.size === 0) return
    this.#isAsking = true
    try {
      const holding = await this.#options.authenticator.holdingKeys([...asked])
      for (const [watched, { keyId }] of this.#entries) if (keyId !== null && asked.has(keyId) && !holding.has(keyId)) this.#end(watched)
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'it was not asked which API keys hold still')
    } finally {
      this.#isAsking = false
    }
  }

  #end(watched: Watched): void {
    this.#entries.delete(watched)
    watched.credentialsEnded()
  }
}
