/**
 * What is kept of credentials: the port between whoever tells who a client is, and Postgres. Everything rejects with
 * ChatError `unavailable` while the database cannot be reached. Times are milliseconds since the epoch, by the database's
 * clock where it sets them.
 */
export interface ApiKey {
  readonly id: string
  /** For people. */
  readonly name: string
  /** Null: only acts for others. */
  readonly userId: string | null
  readonly actsForOthers: boolean
  readonly permissions: readonly string[]
  readonly plan: string
  readonly createdAt: number
  readonly expiresAt: number | null
  readonly revokedAt: number | null
  readonly lastUsedAt: number | null
  /** Of the secret, 32 bytes. */
  readonly secretHash: Uint8Array
  /** Of the secret before the last rotation, which holds until then as well. */
  readonly previous: { readonly hash: Uint8Array; readonly until: number } | null
}

export type NewApiKey = Pick<ApiKey, 'id' | 'name' | 'userId' | 'actsForOthers' | 'permissions' | 'plan' | 'expiresAt' | 'secretHash'>

export interface CredentialStore {
  createApiKey(key: NewApiKey): Promise<ApiKey>
  apiKey(id: string): Promise<ApiKey | null>
  /** The newest first, revoked ones too. `before`: the last of the page before. */
  listApiKeys(page: { readonly before: ApiKey | null; readonly limit: number }): Promise<readonly ApiKey[]>
  /** The secret that held until now holds for `overlapMs` more, none before it does. Null where there is no such key that is not revoked. */
  rotateApiKey(id: string, secretHash: Uint8Array, overlapMs: number): Promise<ApiKey | null>
  /** For good. Null where there is no such key; one that is revoked already stays as it is. */
  revokeApiKey(id: string): Promise<ApiKey | null>
  /** Those of the keys that hold: not revoked, and not expired. */
  holdingApiKeys(ids: readonly string[]): Promise<ReadonlySet<string>>
  /** Times of last use, which only rise. */
  noteUse(lastUsedAt: ReadonlyMap<string, number>): Promise<void>
  /** Keeps a ticket of the user for so long. `holder` is JSON. */
  keepTicket(userId: string, hash: Uint8Array, holder: unknown, validMs: number): Promise<void>
  /** What was kept under the hash in a bucket of users, once; null where there is nothing that holds still. */
  takeTicket(bucket: number, hash: Uint8Array): Promise<unknown>
  /** 32 random bytes under this name, the same for everyone who asks. */
  secret(name: string): Promise<Uint8Array>
}
