/** Credentials on Postgres: keys and secrets on the first shard, so that there is one place to ask; tickets on their user's. */
import { randomBytes } from 'node:crypto'
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfUser } from '../../protocol/ids.ts'
import type { ApiKey, CredentialStore, NewApiKey } from '../credential-store.ts'
import { asChatError } from './faults.ts'
import type { Shard } from './shard.ts'
import type { Statement } from './statement.ts'
import {
  apiKeyById, apiKeyFrom, createApiKey, holdingApiKeys, listApiKeys, noteApiKeyUse, revokeApiKey, rotateApiKey, type StoredApiKey,
} from './statements/api-keys.ts'
import { keepSecret, secretByName } from './statements/secrets.ts'
import { keepTicket, takeTicket } from './statements/tickets.ts'

type Queries = Pick<Shard, 'read' | 'write'>

const secretBytes = 32

export class PostgresCredentialStore implements CredentialStore {
  readonly #first: Queries
  readonly #ofBucket: (bucket: number) => Queries

  constructor(first: Queries, ofBucket: (bucket: number) => Queries) {
    this.#first = first
    this.#ofBucket = ofBucket
  }

  async createApiKey({ id, name, userId, actsForOthers, permissions, plan, expiresAt, secretHash }: NewApiKey): Promise<ApiKey> {
    const key = await this.#write(createApiKey, [id, name, userId, actsForOthers, permissions, plan, expiresAt, secretHash])
    if (key === null) throw new ChatError('internal')
    return key
  }

  async apiKey(id: string): Promise<ApiKey | null> {
    const [row] = await this.#read<StoredApiKey>(apiKeyById, [id])
    return row === undefined ? null : apiKeyFrom(row)
  }

  async listApiKeys({ before, limit }: { readonly before: ApiKey | null; readonly limit: number }): Promise<readonly ApiKey[]> {
    return (await this.#read<StoredApiKey>(listApiKeys, [before?.createdAt ?? null, before?.id ?? null, limit])).map(apiKeyFrom)
  }

  rotateApiKey(id: string, secretHash: Uint8Array, overlapMs: number): Promise<ApiKey | null> {
    return this.#write(rotateApiKey, [id, secretHash, overlapMs])
  }

  revokeApiKey(id: string): Promise<ApiKey | null> {
    return this.#write(revokeApiKey, [id])
  }

  async holdingApiKeys(ids: readonly string[]): Promise<ReadonlySet<string>> {
    return new Set((await this.#read<{ id: string }>(holdingApiKeys, [ids])).map(({ id }) => id))
  }

  async noteUse(lastUsedAt: ReadonlyMap<string, number>): Promise<void> {
    await whileThere(() => this.#first.write(noteApiKeyUse, [[...lastUsedAt.keys()], [...lastUsedAt.values()]]))
  }

  async keepTicket(userId: string, hash: Uint8Array, holder: unknown, validMs: number): Promise<void> {
    await whileThere(() => this.#ofBucket(bucketOfUser(userId)).write(keepTicket, [hash, JSON.stringify(holder), validMs]))
  }

  async takeTicket(bucket: number, hash: Uint8Array): Promise<unknown> {
    const [row] = await whileThere(() => this.#ofBucket(bucket).write<{ holder: unknown }>(takeTicket, [hash]))
    return row?.holder ?? null
  }

  async secret(name: string): Promise<Uint8Array> {
    const find = async (): Promise<Uint8Array | undefined> => (await this.#read<{ value: Uint8Array }>(secretByName, [name]))[0]?.value
    const known = await find()
    if (known !== undefined) return known
    await whileThere(() => this.#first.write(keepSecret, [name, randomBytes(secretBytes)]))
    const kept = await find()
    if (kept === undefined) throw new ChatError('unavailable')
    return kept
  }

  #read<Row extends Record<string, unknown>>(statement: Statement, values: readonly unknown[]): Promise<Row[]> {
    return whileThere(() => this.#first.read<Row>(statement, values))
  }

  async #write(statement: Statement, values: readonly unknown[]): Promise<ApiKey | null> {
    const [row] = await whileThere(() => this.#first.write<StoredApiKey>(statement, values))
    return row === undefined ? null : apiKeyFrom(row)
  }
}

async function whileThere<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    throw asChatError(error)
  }
}
