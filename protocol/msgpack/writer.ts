/**
 * Writes the part of MessagePack that our messages use, in the smallest form, maps as plain maps: what any language's
 * library reads. Integers above 32 bits are 64-bit integers, never floats.
 */
const encoder = new TextEncoder()

/** One scratch buffer for all: writing is synchronous, and ends in a copy. It grows to the largest message written. */
let scratch = new Uint8Array(4096)
let view = new DataView(scratch.buffer)
let at = 0

function reserve(count: number): number {
  const start = at
  at = start + count
  if (at > scratch.length) {
    const larger = new Uint8Array(Math.max(scratch.length * 2, at))
    larger.set(scratch)
    scratch = larger
    view = new DataView(larger.buffer)
  }
  return start
}

/** Largest scratch that is kept between messages. */
const keptBytes = 1024 * 1024

/** Begins a message that its caller writes by the functions below, one value's parts in order; `finishMsgpack` ends it. */
export function beginMsgpack(): void {
  at = 0
}

export function finishMsgpack(): Uint8Array {
  const written = scratch.slice(0, at)
  if (scratch.length > keptBytes) {
    scratch = new Uint8Array(4096)
    view = new DataView(scratch.buffer)
  }
  return written
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
    }
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
  const start = reserve(1)
  scratch[start] = byte
}

/** Bytes that are MessagePack already. */
export function writeRaw(raw: Uint8Array): void {
  const start = reserve(raw.length)
  scratch.set(raw, start)
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
    const start = reserve(2)
    scratch[start] = head8
    scratch[start + 1] = length
  } else if (length < 0x10000) {
    const start = reserve(3)
    scratch[start] = head16
    view.setUint16(start + 1, length)
  } else {
    const start = reserve(5)
    scratch[start] = head32
    view.setUint32(start + 1, length)
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
      const start = reserve(2)
      scratch[start] = 0xcc
      scratch[start + 1] = value
    } else if (value < 0x10000) {
      const start = reserve(3)
      scratch[start] = 0xcd
      view.setUint16(start + 1, value)
    } else if (value < 0x100000000) {
      const start = reserve(5)
      scratch[start] = 0xce
      view.setUint32(start + 1, value)
    } else if (value <= Number.MAX_SAFE_INTEGER) {
      const start = reserve(9)
      scratch[start] = 0xcf
      view.setUint32(start + 1, Math.floor(value / 0x100000000))
      view.setUint32(start + 5, value % 0x100000000)
    } else {
      writeFloat(value)
    }
  } else if (value >= -0x20) {
    writeByte(value & 0xff)
  } else if (value >= -0x80) {
    const start = reserve(2)
    scratch[start] = 0xd0
    view.setInt8(start + 1, value)
  } else if (value >= -0x8000) {
    const start = reserve(3)
    scratch[start] = 0xd1
    view.setInt16(start + 1, value)
  } else if (value >= -0x80000000) {
    const start = reserve(5)
    scratch[start] = 0xd2
    view.setInt32(start + 1, value)
  } else {
    // Nothing of ours is that low but a client's ref: a float holds it as exactly as the number did.
    writeFloat(value)
  }
}

function writeFloat(value: number): void {
  const start = reserve(9)
  scratch[start] = 0xcb
  view.setFloat64(start + 1, value)
}

/** Up to this length a loop is cheaper than the encoder. */
const shortString = 40

export function writeString(text: string): void {
  const length = text.length
  if (length <= shortString) {
    const start = reserve(2 + length)
    let to = start + (length < 32 ? 1 : 2)
    let i = 0
    for (; i < length; i++) {
      const unit = text.charCodeAt(i)
      if (unit >= 0x80) break
      scratch[to++] = unit
    }
    if (i === length) {
      if (length < 32) {
        scratch[start] = 0xa0 | length
      } else {
        scratch[start] = 0xd9
        scratch[start + 1] = length
      }
      at = to
      return
    }
    at = start
  }
  // The head's size depends on the length in bytes: write behind the largest head, then close the gap.
  const start = reserve(5 + length * 3)
  const bytes = encoder.encodeInto(text, scratch.subarray(start + 5)).written
  at = start
  if (bytes < 32) writeByte(0xa0 | bytes)
  else writeHead(bytes, 0xd9, 0xda, 0xdb)
  if (at !== start + 5) scratch.copyWithin(at, start + 5, start + 5 + bytes)
  at += bytes
}
