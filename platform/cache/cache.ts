/**
 * Bytes by key, kept for a while if all goes well: what is asked for may be gone at any time, and nothing depends on it.
 * Nothing here rejects. A cache that is away, slow or full is one that holds nothing.
 */
export interface Cache {
  /** Null where there is nothing. The bytes are not to be changed. */
  get(key: string): Promise<Uint8Array | null>
  /** Resolves when it is kept, or is not going to be. Empty and very large values (`maxEntryBytes`) are not kept. */
  put(key: string, bytes: Uint8Array, ttlMs: number): Promise<void>
  delete(key: string): Promise<void>
}

export const maxEntryBytes = 1024 * 1024
