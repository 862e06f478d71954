/** 128 random bits in hexadecimal. Works in pages without TLS too, where crypto.randomUUID does not. */
export function randomName(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
