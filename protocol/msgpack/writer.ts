/**
 * Writes the part of MessagePack that our messages use, in the smallest form, maps as plain maps: what any language's
 * library reads. Integers above 32 bits are 64-bit integers, never floats.
 */
const encoder = new TextEncoder()

/** Where messages are written, one at a time as writing is synchronous: bytes, and the same bytes for numbers of several. */
interface Slab {
  readonly bytes: Uint8Array
  readonly view: DataView
}

function makeSlab(length: number): Slab {
  const bytes = new Uint8Array(length)
  return { bytes, view: new DataView(bytes.buffer) }
}

/**
 * Messages are written one behind the other into a slab, and small ones are handed out as views of it: an ArrayBuffer
 * for each would cost more than writing it. Large ones are copied out, so that a view never keeps much more than itself.
 */
const slabBytes = 16 * 1024
const largestView = 2 * 1024
/** What outgrows the slab is written into a larger one, which is kept for the next up to this size. */
const keptLargeBytes = 1024 * 1024
let small = makeSlab(slabBytes)
let large = makeSlab(0)
/** Where the next message begins in the small one. */
let nextStart = 0
let isLarge = false
let slab = small.bytes
let view = small.view
/** Where the message being written begins, and where its next byte goes. */
let start = 0
let at = 0

function reserve(count: number): number {
  if (at + count > slab.length) replaceSlab(count)
  const from = at
  at = from + count
  return from
}

function replaceSlab(count: number): void {
  const written = slab.subarray(start, at)
  const needed = 2 * (written.length + count)
  if (needed <= slabBytes) {
    small = makeSlab(slabBytes)
    nextStart = 0
    writeInto(small, 0)
  } else {
    if (large.bytes.length < needed) large = makeSlab(needed)
    isLarge = true
    writeInto(large, 0)
  }
  slab.set(written)
  at = written.length
}

function writeInto({ bytes, view: numbers }: Slab, from: number): void {
  slab = bytes
  view = numbers
  start = from
  at = from
}

/** Begins a message that its caller writes by the functions below, one value's parts in order; `finishMsgpack` ends it. */
export function beginMsgpack(): void {
  // An encoder that threw left a message behind: write over it.
  isLarge = false
  writeInto(small, nextStart)
}

export function finishMsgpack(): Uint8Array {
  if (isLarge || at - start > largestView) {
    const message = slab.slice(start, at)
    if (large.bytes.length > keptLargeBytes) large = makeSlab(0)
    return message
  }
  nextStart = at
  return slab.subarray(start, at)
}

/**
 * null, booleans, finite numbers, strings, Uint8Array, arrays and plain objects, without cycles; fields that are
 * undefined are left out. Anything else is a fault of the caller and throws TypeError.
 */
export function writeMsgpack(value: unknown): Uint8Array {
  beginMsgpack()
  writeValue(value)
  return finishMsgpack()
}

function writeValue(value: unknown): void {
  switch (typeof value) {
    case 'string': return writeString(value)
    case 'number': return writeNumber(value)
    case 'boolean': return writeByte(value ? 0xc3 : 0xc2)
    case 'object': {
      if (value === null) return writeByte(0xc0)
      if (Array.isArray(value)) {
        writeArrayHead(value.length)
        for (const item of value) writeValue(item)
        return
      }
      if (value instanceof Uint8Array) return writeBinary(value)
      const prototype: unknown = Object.getPrototypeOf(value)
      if (prototype === Object.prototype || prototype === null) return writeMap(value as Record<string, unknown>)
      break
    }
    default:
  }
  throw new TypeError('no value of a message')
}

function writeMap(map: Record<string, unknown>): void {
  const keys = Object.keys(map)
  let count = 0
  for (const key of keys) if (map[key] !== undefined) count++
  writeMapHead(count)
  for (const key of keys) {
    const value = map[key]
    if (value === undefined) continue
    writeString(key)
    writeValue(value)
  }
}

function writeByte(byte: number): void {
  const from = reserve(1)
  slab[from] = byte
}

/** Bytes that are MessagePack already. */
export function writeRaw(raw: Uint8Array): void {
  const from = reserve(raw.length)
  slab.set(raw, from)
}

export function writeArrayHead(length: number): void {
  if (length < 16) return writeByte(0x90 | length)
  writeHead(length, 0, 0xdc, 0xdd)
}

export function writeMapHead(length: number): void {
  if (length < 16) return writeByte(0x80 | length)
  writeHead(length, 0, 0xde, 0xdf)
}

/** A head byte and a length of 1, 2 or 4 bytes; `head8` is 0 where the format has no such form. */
function writeHead(length: number, head8: number, head16: number, head32: number): void {
  if (head8 !== 0 && length < 0x100) {
    const from = reserve(2)
    slab[from] = head8
    slab[from + 1] = length
  } else if (length < 0x10000) {
    const from = reserve(3)
    slab[from] = head16
    view.setUint16(from + 1, length)
  } else {
    const from = reserve(5)
    slab[from] = head32
    view.setUint32(from + 1, length)
  }
}

export function writeBinary(binary: Uint8Array): void {
  writeHead(binary.length, 0xc4, 0xc5, 0xc6)
  writeRaw(binary)
}

export function writeNumber(value: number): void {
  if (!Number.isInteger(value)) {
    if (!Number.isFinite(value)) throw new TypeError('no number of a message')
    return writeFloat(value)
  }
  if (value >= 0) {
    if (value < 0x80) return writeByte(value)
    if (value < 0x100) {
      const from = reserve(2)
      slab[from] = 0xcc
      slab[from + 1] = value
    } else if (value < 0x10000) {
      const from = reserve(3)
      slab[from] = 0xcd
      view.setUint16(from + 1, value)
    } else if (value < 0x100000000) {
      const from = reserve(5)
      slab[from] = 0xce
      view.setUint32(from + 1, value)
    } else if (value <= Number.MAX_SAFE_INTEGER) {
      const from = reserve(9)
      slab[from] = 0xcf
      view.setUint32(from + 1, Math.floor(value / 0x100000000))
      view.setUint32(from + 5, value % 0x100000000)
    } else {
      writeFloat(value)
    }
  } else if (value >= -0x20) {
    writeByte(value & 0xff)
  } else if (value >= -0x80) {
    const from = reserve(2)
    slab[from] = 0xd0
    view.setInt8(from + 1, value)
  } else if (value >= -0x8000) {
    const from = reserve(3)
    slab[from] = 0xd1
    view.setInt16(from + 1, value)
  } else if (value >= -0x80000000) {
    const from = reserve(5)
    slab[from] = 0xd2
    view.setInt32(from + 1, value)
  } else {
    // Nothing of ours is that low but a client's ref: a float holds it as exactly as the number did.
    writeFloat(value)
  }
}

function writeFloat(value: number): void {
  const from = reserve(9)
  slab[from] = 0xcb
  view.setFloat64(from + 1, value)
}

/** Up to this length a loop is cheaper than the encoder. */
const shortString = 40

export function writeString(text: string): void {
  const length = text.length
  if (length <= shortString) {
    const from = reserve(2 + length)
    let to = from + (length < 32 ? 1 : 2)
    let i = 0
    for (; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) break
      slab[to++] = unit
    }
    if (i === length) {
      if (length < 32) {
        slab[from] = 0xa0 | length
      } else {
        slab[from] = 0xd9
        slab[from + 1] = length
      }
      at = to
      return
    }
    at = from
  }
  // The head's size depends on the length in bytes: write behind the largest head, then close the gap.
  const from = reserve(5 + length * 3)
  const bytes = encoder.encodeInto(text, slab.subarray(from + 5)).written
  at = from
  if (bytes < 32) writeByte(0xa0 | bytes)
  else writeHead(bytes, 0xd9, 0xda, 0xdb)
  if (at !== from + 5) slab.copyWithin(at, from + 5, from + 5 + bytes)
  at += bytes
}
