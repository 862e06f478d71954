/** A CredentialStore in memory, for tests of what stands on one. */
import { randomBytes } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfUser } from '../../protocol/ids.ts'
import type { ApiKey, CredentialStore } from '../credential-store.ts'

export class MemoryCredentials implements CredentialStore {
  readonly #now: () => number
  readonly #keys = new Map<string, ApiKey>()
  readonly #tickets = new Map<string, { readonly holder: unknown; readonly until: number }>()
  readonly #secrets = new Map<string, Uint8Array>()
  /** Look-ups of keys so far. */
  lookUps = 0
  isAway = false

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  async createApiKey(key: Parameters<CredentialStore['createApiKey']>[0]): Promise<ApiKey> {
    this.#requireThere()
    const created = { ...key, secretHash: Buffer.from(key.secretHash), createdAt: this.#now(), revokedAt: null, lastUsedAt: null, previous: null }
    this.#keys.set(key.id, created)
    return created
  }

  async apiKey(id: string): Promise<ApiKey | null> {
    this.lookUps += 1
    this.#requireThere()
    return this.#keys.get(id) ?? null
  }

  async listApiKeys({ before, limit }: Parameters<CredentialStore['listApiKeys']>[0]): Promise<readonly ApiKey[]> {
    const all = [...this.#keys.values()].sort((a, b) => b.createdAt - a.createdAt || (a.id < b.id ? 1 : -1))
    const from = before === null ? 0 : all.findIndex(({ id }) => id === before.id) + 1
    return all.slice(from, from + limit)
  }

  async rotateApiKey(id: string, secretHash: Uint8Array, overlapMs: number): Promise<ApiKey | null> {
    const key = this.#keys.get(id)
    return key === undefined || key.revokedAt !== null ? null : this.#change(key, { secretHash, previous: { hash: Buffer.from(key.secretHash), until: this.#now() + overlapMs } })
  }

  async revokeApiKey(id: string): Promise<ApiKey | null> {
    const key = this.#keys.get(id)
    return key === undefined ? null : this.#change(key, { revokedAt: key.revokedAt ?? this.#now() })
  }

  async holdingApiKeys(ids: readonly string[]): Promise<ReadonlySet<string>> {
    this.#requireThere()
    const holds = (key: ApiKey | undefined): boolean => key !== undefined && key.revokedAt === null && (key.expiresAt ?? Infinity) > this.#now()
    return new Set(ids.filter((id) => holds(this.#keys.get(id))))
  }

  async noteUse(lastUsedAt: ReadonlyMap<string, number>): Promise<void> {
    this.#requireThere()
    for (const [id, at] of lastUsedAt) {
      const key = this.#keys.get(id)
      if (key !== undefined) this.#change(key, { lastUsedAt: Math.max(key.lastUsedAt ?? 0, at) })
    }
  }

  async keepTicket(userId: string, hash: Uint8Array, holder: unknown, validMs: number): Promise<void> {
    this.#requireThere()
    this.#tickets.set(ticketKey(bucketOfUser(userId), hash), { holder, until: this.#now() + validMs })
  }

  async takeTicket(bucket: number, hash: Uint8Array): Promise<unknown> {
    this.#requireThere()
    const ticket = this.#tickets.get(ticketKey(bucket, hash))
    this.#tickets.delete(ticketKey(bucket, hash))
    return ticket !== undefined && ticket.until > this.#now() ? ticket.holder : null
  }

  async secret(name: string): Promise<Uint8Array> {
    this.#requireThere()
    const secret = this.#secrets.get(name) ?? randomBytes(32)
    this.#secrets.set(name, secret)
    return secret
  }

  #change(key: ApiKey, changes: Partial<ApiKey>): ApiKey {
    const changed = { ...key, ...changes }
    this.#keys.set(key.id, changed)
    return changed
  }

  #requireThere(): void {
    if (this.isAway) throw new ChatError('unavailable')
  }
}

function ticketKey(bucket: number, hash: Uint8Array): string {
  return `${bucket} ${Buffer.from(hash).toString('hex')}`
}
