/**
 * What an API key is made of, and what is kept of it. A secret is 256 bits of randomness, so that nobody can try them
 * all: one round of SHA-256 keeps it as well as a slow hash would, which is for passwords that people choose, and costs
 * a request next to nothing.
 */
import { createHash, randomBytes, randomInt } from 'node:crypto'

const idAlphabet = '0123456789abcdefghijklmnopqrstuvwxyz'
const idLength = 12

export function newApiKeyId(): string {
  return Array.from({ length: idLength }, () => idAlphabet[randomInt(idAlphabet.length)]).join('')
}

export function newApiKeySecret(): string {
  return randomBytes(32).toString('hex')
}

/** 32 bytes. */
export function hashOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret).digest()
}
