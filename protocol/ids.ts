/**
 * Ids and what they tell. An id of a conversation or message is `sequence * 1024 + bucket`, within 53 bits; the bucket
 * is the hash of the user, and so names the shard. Everything here is arithmetic: it runs in Node and in a browser.
 */

export const bucketCount = 1024

/**
 * The user's bucket, 0 to 1023: FNV-1a over the UTF-8 bytes, mixed by MurmurHash3's 32-bit finaliser, as FNV's low bits
 * alone spread poorly over short ids. Never to be changed: stored ids depend on it.
 */
export function bucketOfUser(userId: string): number {
  let hash = 0x811c9dc5
  const mix = (byte: number): void => {
    hash = Math.imul(hash ^ byte, 0x01000193)
  }
  for (const character of userId) {
    const codePoint = character.codePointAt(0) as number
    // A lone surrogate counts as U+FFFD, as every UTF-8 encoder writes it.
    const c = codePoint >= 0xd800 && codePoint <= 0xdfff ? 0xfffd : codePoint
    if (c < 0x80) {
      mix(c)
    } else if (c < 0x800) {
      mix(0xc0 | (c >> 6))
      mix(0x80 | (c & 63))
    } else if (c < 0x10000) {
      mix(0xe0 | (c >> 12))
      mix(0x80 | ((c >> 6) & 63))
      mix(0x80 | (c & 63))
    } else {
      mix(0xf0 | (c >> 18))
      mix(0x80 | ((c >> 12) & 63))
      mix(0x80 | ((c >> 6) & 63))
      mix(0x80 | (c & 63))
    }
  }
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35)
  return (hash ^ (hash >>> 16)) & (bucketCount - 1)
}

/** Of a turn id, for whoever validates one. */
export const turnIdPattern = '^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$'
const turnIds = new RegExp(turnIdPattern)

export function isTurnId(text: string): boolean {
  return turnIds.test(text)
}

export function bucketOfId(id: number): number {
  return id % bucketCount
}

export function sequenceOfId(id: number): number {
  return Math.floor(id / bucketCount)
}

/** Throws RangeError where the id would not fit into 53 bits. */
export function makeId(sequence: number, bucket: number): number {
  const id = sequence * bucketCount + bucket
  if (!Number.isSafeInteger(id) || sequence < 0 || bucket < 0 || bucket >= bucketCount) throw new RangeError(`no id for sequence ${sequence} and bucket ${bucket}`)
  return id
}

/** Whole months from January 2025 to this instant, in UTC. */
export function monthOf(dateMs: number): number {
  const date = new Date(dateMs)
  return (date.getUTCFullYear() - 2025) * 12 + date.getUTCMonth()
}

/** Where the sequence of message ids is moved to when a month begins, so that a month is a range of ids known ahead. */
export function firstSequenceOfMonth(month: number): number {
  return month * 2 ** 33
}

const hex = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'))
const bytesOfTurnId = 8
const pool = new Uint8Array(512 * bytesOfTurnId)
let poolAt = pool.length

/** A UUIDv7 (RFC 9562) of which the upper 10 bits of rand_a are the bucket; the other 64 bits are random. */
export function newTurnId(bucket: number, nowMs: number = Date.now()): string {
  if (!Number.isInteger(bucket) || bucket < 0 || bucket >= bucketCount) throw new RangeError(`no such bucket: ${bucket}`)
  if (poolAt === pool.length) {
    crypto.getRandomValues(pool)
    poolAt = 0
  }
  const random = (index: number): number => pool[poolAt + index] as number
  const time = Math.floor(nowMs).toString(16).padStart(12, '0')
  // Two of the 64 random bits go to rand_a: they are the two that the variant displaces in the first byte of rand_b.
  const randA = ((bucket << 2) | (random(0) >> 6)).toString(16).padStart(3, '0')
  const id =
    time.slice(0, 8) + '-' + time.slice(8, 12) + '-7' + randA + '-' +
    (hex[0x80 | (random(0) & 0x3f)] as string) + (hex[random(1)] as string) + '-' +
    (hex[random(2)] as string) + (hex[random(3)] as string) + (hex[random(4)] as string) +
    (hex[random(5)] as string) + (hex[random(6)] as string) + (hex[random(7)] as string)
  poolAt += bytesOfTurnId
  return id
}

/** The bucket in a turn id that has passed the schema. */
export function bucketOfTurn(turnId: string): number {
  return Number.parseInt(turnId.slice(15, 18), 16) >> 2
}
