/** Entries with a checksum in front: what comes back from a shared cache may be cut, changed, or no entry at all. */
import { crc32 } from 'node:zlib'

const checksumBytes = 4

export function seal(entry: Uint8Array): Uint8Array {
  const checksum = Buffer.alloc(checksumBytes)
  checksum.writeUInt32LE(crc32(entry))
  return Buffer.concat([checksum, entry])
}

/** The entry, or null where these bytes are not as `seal` gave them. */
export function unseal(sealed: Uint8Array): Uint8Array | null {
  if (sealed.byteLength <= checksumBytes) return null
  const entry = sealed.subarray(checksumBytes)
  return new DataView(sealed.buffer, sealed.byteOffset).getUint32(0, true) === crc32(entry) ? entry : null
}
