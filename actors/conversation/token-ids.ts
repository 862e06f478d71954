/**
 * Token ids of one attempt (unsigned 32-bit, little-endian). To its users a value that never changes; below it, values
 * that grew from one another share a buffer that is only ever written beyond the end of the longest, so that an append
 * costs what it adds. Bytes are copied in: those of a batch are a view of a whole message of the bus.
 */
export interface TokenIds {
  readonly count: number
  readonly store: Store
}

interface Store {
  readonly bytes: Uint8Array
  used: number
}

const bytesPerId = 4
const smallestStore = 256

export const emptyIds: TokenIds = { count: 0, store: { bytes: new Uint8Array(0), used: 0 } }

export function appendIds(ids: TokenIds, bytes: Uint8Array): TokenIds {
  if (bytes.byteLength === 0) return ids
  const length = ids.count * bytesPerId
  const longer = length + bytes.byteLength
  let { store } = ids
  if (store.used !== length || longer > store.bytes.byteLength) {
    const copy = new Uint8Array(Math.max(smallestStore, 2 * longer))
    copy.set(store.bytes.subarray(0, length))
    store = { bytes: copy, used: length }
  }
  store.bytes.set(bytes, length)
  store.used = longer
  return { count: longer / bytesPerId, store }
}

/** All ids as one array of bytes. */
export function joinIds(ids: TokenIds): Uint8Array {
  return ids.store.bytes.slice(0, ids.count * bytesPerId)
}

/** `bytes` without its first `count` ids. */
export function dropIds(bytes: Uint8Array, count: number): Uint8Array {
  return bytes.subarray(Math.min(bytes.byteLength, count * bytesPerId))
}
