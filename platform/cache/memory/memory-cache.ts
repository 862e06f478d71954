/** A cache of this process: what was used least lately goes first. */
import { LRUCache } from 'lru-cache'
import { maxEntryBytes, type Cache } from '../cache.ts'

/** What an entry takes beside its bytes and the letters of its key. */
const entryOverheadBytes = 200

export class MemoryCache implements Cache {
  readonly #entries: LRUCache<string, Uint8Array>

  constructor({ maxBytes }: { readonly maxBytes: number }) {
    this.#entries = new LRUCache({ maxSize: maxBytes, sizeCalculation: (bytes, key) => bytes.byteLength + 2 * key.length + entryOverheadBytes })
  }

  /** Entries that have expired and were not looked for since included. */
  get bytes(): number {
    return this.#entries.calculatedSize
  }

  get(key: string): Promise<Uint8Array | null> {
    return Promise.resolve(this.#entries.get(key) ?? null)
  }

  put(key: string, bytes: Uint8Array, ttlMs: number): Promise<void> {
    // A copy: the bytes may be a small view of something large.
    if (bytes.byteLength > 0 && bytes.byteLength <= maxEntryBytes) this.#entries.set(key, bytes.slice(), { ttl: ttlMs })
    return Promise.resolve()
  }

  delete(key: string): Promise<void> {
    this.#entries.delete(key)
    return Promise.resolve()
  }
}
