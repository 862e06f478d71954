/** Token ids as they travel: unsigned 32-bit little-endian integers, one after another. */
export function tokenIdsToBytes(ids: readonly number[]): Uint8Array {
  const bytes = new Uint8Array(ids.length * 4)
  const view = new DataView(bytes.buffer)
  for (const [index, id] of ids.entries()) view.setUint32(index * 4, id, true)
  return bytes
}

/** `bytes` may begin anywhere in its buffer; a length that is no multiple of 4 has failed the schema before. */
export function tokenIdsFromBytes(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  const ids: number[] = []
  for (let at = 0; at + 4 <= bytes.byteLength; at += 4) ids.push(view.getUint32(at, true))
  return ids
}
