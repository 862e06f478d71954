/**
 * What counts as one address: an IPv4 address, or the /64 of an IPv6 address, as one host is commonly given all of it.
 * Takes the 4 or 16 bytes that the socket tells.
 */
export function addressKey(address: ArrayBuffer): string {
  const bytes = Buffer.from(address)
  if (bytes.length !== 16) return bytes.toString('hex')
  const isMappedIPv4 = bytes.readBigUInt64BE(0) === 0n && bytes.readUInt32BE(8) === 0xffff
  return isMappedIPv4 ? bytes.toString('hex', 12) : bytes.toString('hex', 0, 8)
}
