/**
 * Mode `api-key`: keys of the credential store. A key that was looked up is kept for 5 s, one that is not there for 2 s,
 * so that a request costs no query; within that time a revocation has reached every process. An unknown key and a wrong
 * secret are told, and take, the same: a look-up and a comparison in constant time.
 */
import { timingSafeEqual } from 'node:crypto'
import { LRUCache } from 'lru-cache'
import { readApiKey, type ApiKeyParts } from '../../protocol/api-key.ts'
import { ChatError } from '../../protocol/errors.ts'
import { permissions } from '../../protocol/permissions.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { hashOfSecret } from '../../storage/api-key-secret.ts'
import type { ApiKey, CredentialStore } from '../../storage/credential-store.ts'
import type { Identity } from './authenticator.ts'

const knownForMs = 5_000
const unknownForMs = 2_000
/** Of each kind. Those used least lately go first; they are looked up again. */
const mostKept = 10_000
/** At a time; more are refused as `overloaded`. */
const mostLookUps = 1_000
const noteUseEveryMs = 60_000

/** Compared with where there is no key. */
const noHash = Buffer.alloc(32)

export interface ApiKeysOptions {
  readonly store: Pick<CredentialStore, 'apiKey' | 'holdingApiKeys' | 'noteUse'>
  readonly clock: Clock
  readonly logger: Logger
}

export class ApiKeys {
  readonly #options: ApiKeysOptions
  readonly #known: LRUCache<string, ApiKey>
  readonly #unknown: LRUCache<string, true>
  readonly #lookUps = new Map<string, Promise<ApiKey | null>>()
  /** Times of last use that are not written yet; of no more keys than are kept. */
  #used = new Map<string, number>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: ApiKeysOptions) {
    this.#options = options
    const perf = { now: () => options.clock.monotonic() }
    this.#known = new LRUCache({ max: mostKept, ttl: knownForMs, ttlResolution: 0, perf })
    this.#unknown = new LRUCache({ max: mostKept, ttl: unknownForMs, ttlResolution: 0, perf })
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#noteUse(), noteUseEveryMs)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    this.#timer = undefined
    await this.#noteUse()
  }

  /** Whom the key is known for without asking the store; null where it is not known, or opens nothing. */
  remembered(token: string): Identity | null {
    const parts = readApiKey(token)
    const key = parts === null ? undefined : this.#known.get(parts.id)
    return parts === null || key === undefined ? null : this.#identityOf(key, parts)
  }

  /** Null where the key opens nothing. Rejects with ChatError `unavailable` and `overloaded`. */
  async identify(token: string): Promise<Identity | null> {
    const parts = readApiKey(token)
    return parts === null ? null : this.#identityOf(await this.#find(parts.id), parts)
  }

  /** Those of the keys that hold still. */
  holding(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return this.#options.store.holdingApiKeys(ids)
  }

  #find(id: string): Promise<ApiKey | null> {
    const known = this.#known.get(id)
    if (known !== undefined) return Promise.resolve(known)
    if (this.#unknown.has(id)) return Promise.resolve(null)
    const underWay = this.#lookUps.get(id)
    if (underWay !== undefined) return underWay
    if (this.#lookUps.size >= mostLookUps) return Promise.reject(new ChatError('overloaded'))
    const lookUp = this.#lookUp(id).finally(() => this.#lookUps.delete(id))
    this.#lookUps.set(id, lookUp)
    return lookUp
  }

  async #lookUp(id: string): Promise<ApiKey | null> {
    const key = await this.#options.store.apiKey(id)
    if (key === null) this.#unknown.set(id, true)
    else this.#known.set(id, key)
    return key
  }

  #identityOf(key: ApiKey | null, { secret }: ApiKeyParts): Identity | null {
    const now = this.#options.clock.now()
    const hash = hashOfSecret(secret)
    const isCurrent = timingSafeEqual(hash, key?.secretHash ?? noHash)
    const isPrevious = timingSafeEqual(hash, key?.previous?.hash ?? noHash) && key?.previous != null && key.previous.until > now
    if (key === null || !(isCurrent || isPrevious) || key.revokedAt !== null || (key.expiresAt !== null && key.expiresAt <= now)) return null
    if (this.#used.size < mostKept || this.#used.has(key.id)) this.#used.set(key.id, now)
    const ends = [key.expiresAt, isCurrent ? null : (key.previous?.until ?? null)].filter((end) => end !== null)
    return {
      userId: key.userId,
      actsForOthers: key.actsForOthers,
      permissions: new Set(permissions.filter((permission) => key.permissions.includes(permission))),
      plan: key.plan,
      keyId: key.id,
      expiresAt: ends.length === 0 ? null : Math.min(...ends),
    }
  }

  /** Never rejects: what is not written is tried again. */
  async #noteUse(): Promise<void> {
    const used = this.#used
    if (used.size === 0) return
    this.#used = new Map()
    try {
      await this.#options.store.noteUse(used)
    } catch (error) {
      this.#options.logger.warn({ err: error }, 'the last use of API keys was not written')
      for (const [id, at] of used) if (this.#used.size < mostKept && !this.#used.has(id)) this.#used.set(id, at)
    }
  }
}
