/** Token ids of one attempt, appended in O(1) as the bytes in which they came (unsigned 32-bit, little-endian). */
export interface IdRope {
  readonly count: number
  readonly last: Uint8Array | null
  readonly before: IdRope | null
}

export const emptyIds: IdRope = { count: 0, last: null, before: null }

const bytesPerId = 4

export function appendIds(rope: IdRope, bytes: Uint8Array): IdRope {
  if (bytes.byteLength === 0) return rope
  return { count: rope.count + bytes.byteLength / bytesPerId, last: bytes, before: rope }
}

/** All ids as one array of bytes. */
export function joinIds(rope: IdRope): Uint8Array {
  const joined = new Uint8Array(rope.count * bytesPerId)
  let end = joined.byteLength
  for (let node: IdRope | null = rope; node?.last; node = node.before) {
    end -= node.last.byteLength
    joined.set(node.last, end)
  }
  return joined
}

/** `bytes` without its first `count` ids. */
export function dropIds(bytes: Uint8Array, count: number): Uint8Array {
  return bytes.subarray(Math.min(bytes.byteLength, count * bytesPerId))
}
