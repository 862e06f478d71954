/** A cache that the processes of a cluster share. */
import type { RedisConnection } from '../../redis/redis-connection.ts'
import { maxEntryBytes, type Cache } from '../cache.ts'

const prefix = 'chatterbot:cache:'

export class RedisCache implements Cache {
  readonly #connection: RedisConnection

  constructor(connection: RedisConnection) {
    this.#connection = connection
  }

  async get(key: string): Promise<Uint8Array | null> {
    // A range, so that something huge under the key, which is not ours, does not come whole.
    const bytes = await this.#connection.request(0, (client) => client.getrangeBuffer(prefix + key, 0, maxEntryBytes)).catch(nothing)
    return bytes === null || bytes.byteLength === 0 || bytes.byteLength > maxEntryBytes ? null : bytes
  }

  async put(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    if (bytes.byteLength === 0 || bytes.byteLength > maxEntryBytes) return
    const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    await this.#connection.request(bytes.byteLength, (client) => client.set(prefix + key, buffer, 'PX', ttlMs)).catch(nothing)
  }

  async delete(key: string): Promise<void> {
    await this.#connection.request(0, (client) => client.unlink(prefix + key)).catch(nothing)
  }
}

/** Why is told by the connection. */
const nothing = (): null => null
