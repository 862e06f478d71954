/**
 * Reads the part of MessagePack that our messages use: nil, booleans, numbers, strings, arrays and maps with string
 * keys, and binary where the caller allows it. A general reader would also build dates, errors, regular expressions,
 * records and big integers out of hostile bytes; this one refuses every extension, bounds depth, trusts no length, and
 * needs no `new Function`, so that a page with a strict content security policy can run it.
 * Source: https://github.com/msgpack/msgpack/blob/master/spec.md
 */
import { maxDepth } from './limits.ts'

export class MsgpackError extends Error {
  override readonly name = 'MsgpackError'
}

const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

const nothing = new Uint8Array(0)
/** The message being read. Reading is synchronous, so that one set of these is enough. */
let bytes: Uint8Array = nothing
let view: DataView = new DataView(nothing.buffer)
let at = 0
let end = 0
let allowBinary = false

/**
 * The one value in `data`. Binary comes back as views of `data`, not copies. Integers beyond 53 bits come back rounded:
 * still integers, and above every maximum of the schemas. Throws MsgpackError, and nothing else.
 */
export function readMsgpack(data: Uint8Array, options: { binary: boolean }): unknown {
  // A Buffer's own `subarray` costs several times as much.
  bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
  view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  at = 0
  end = data.byteLength
  allowBinary = options.binary
  try {
    const value = readValue(0)
    if (at !== end) throw new MsgpackError('bytes follow the value')
    return value
  } catch (error) {
    if (error instanceof MsgpackError) throw error
    throw new MsgpackError('invalid UTF-8', { cause: error })
  } finally {
    bytes = nothing
  }
}

function need(count: number): number {
  const start = at
  if (count > end - start) throw new MsgpackError('the value is cut off')
  at = start + count
  return start
}

function readValue(depth: number): unknown {
  const head = bytes[need(1)] as number
  if (head < 0x80) return head
  if (head >= 0xe0) return head - 0x100
  if (head >= 0xa0 && head < 0xc0) return readString(head & 0x1f)
  if (head < 0x90) return readMap(head & 0x0f, depth)
  if (head < 0xa0) return readArray(head & 0x0f, depth)
  switch (head) {
    case 0xc0: return null
    case 0xc2: return false
    case 0xc3: return true
    case 0xc4: return readBinary(view.getUint8(need(1)))
    case 0xc5: return readBinary(view.getUint16(need(2)))
    case 0xc6: return readBinary(view.getUint32(need(4)))
    case 0xca: return view.getFloat32(need(4))
    case 0xcb: return view.getFloat64(need(8))
    case 0xcc: return view.getUint8(need(1))
    case 0xcd: return view.getUint16(need(2))
    case 0xce: return view.getUint32(need(4))
    case 0xcf: {
      const start = need(8)
      return view.getUint32(start) * 0x100000000 + view.getUint32(start + 4)
    }
    case 0xd0: return view.getInt8(need(1))
    case 0xd1: return view.getInt16(need(2))
    case 0xd2: return view.getInt32(need(4))
    case 0xd3: {
      const start = need(8)
      return view.getInt32(start) * 0x100000000 + view.getUint32(start + 4)
    }
    case 0xd9: return readString(view.getUint8(need(1)))
    case 0xda: return readString(view.getUint16(need(2)))
    case 0xdb: return readString(view.getUint32(need(4)))
    case 0xdc: return readArray(view.getUint16(need(2)), depth)
    case 0xdd: return readArray(view.getUint32(need(4)), depth)
    case 0xde: return readMap(view.getUint16(need(2)), depth)
    case 0xdf: return readMap(view.getUint32(need(4)), depth)
    default: throw new MsgpackError(`a value of type 0x${head.toString(16)}, which messages do not use`)
  }
}

function readBinary(length: number): Uint8Array {
  if (!allowBinary) throw new MsgpackError('binary, where messages have none')
  const start = need(length)
  return bytes.subarray(start, at)
}

/** Up to this many bytes building the string here is cheaper than the decoder. */
const shortString = 32

function readString(length: number): string {
  const start = need(length)
  if (length === idBytes) return readId(start)
  return (length <= shortString ? readAscii(start) : null) ?? decoder.decode(bytes.subarray(start, at))
}

/** UUIDs, which come again and again: turns' ids, of which every delta has one. */
const idBytes = 36
/** Those that were read last, each in its place: one that is there need not be built anew, and a table that knows it need not hash it. */
const places = 4_096
const known: string[] = Array.from({ length: places }, () => '')

function readId(start: number): string {
  // The last 16 digits are random enough.
  let hash = 0
  for (let i = start + 20; i < at; i++) hash = (Math.imul(hash, 31) + (bytes[i] as number)) | 0
  const place = hash & (places - 1)
  const id = known[place] as string
  if (isAt(start, id)) return id
  return (known[place] = decoder.decode(bytes.subarray(start, at)))
}

/** Whether the bytes from `start` to here are these characters, all ASCII. */
function isAt(start: number, text: string): boolean {
  if (text.length !== at - start) return false
  for (let i = 0; i < text.length; i++) if (bytes[start + i] !== text.charCodeAt(i)) return false
  return true
}

/** The string from `start` to here, or null where it is not all ASCII. Eight at a time, as each concatenation costs. */
function readAscii(start: number): string | null {
  let text = ''
  let i = start
  for (; i + 8 <= at; i += 8) {
    const a = bytes[i] as number
    const b = bytes[i + 1] as number
    const c = bytes[i + 2] as number
    const d = bytes[i + 3] as number
    const e = bytes[i + 4] as number
    const f = bytes[i + 5] as number
    const g = bytes[i + 6] as number
    const h = bytes[i + 7] as number
    if ((a | b | c | d | e | f | g | h) >= 0x80) return null
    text += String.fromCharCode(a, b, c, d, e, f, g, h)
  }
  for (; i < at; i++) {
    const byte = bytes[i] as number
    if (byte >= 0x80) return null
    text += String.fromCharCode(byte)
  }
  return text
}

function readArray(length: number, depth: number): unknown[] {
  // Each item takes a byte at least: a length beyond that is a lie, and must not reserve memory.
  if (depth >= maxDepth || length > end - at) throw new MsgpackError('an array too deep or too long')
  const array: unknown[] = []
  for (let i = 0; i < length; i++) array.push(readValue(depth + 1))
  return array
}

function readMap(length: number, depth: number): Record<string, unknown> {
  if (depth >= maxDepth || length * 2 > end - at) throw new MsgpackError('a map too deep or too long')
  const map: Record<string, unknown> = {}
  for (let i = 0; i < length; i++) {
    const key = readValue(maxDepth)
    if (typeof key !== 'string') throw new MsgpackError('a key that is no string')
    const value = readValue(depth + 1)
    // Assigned, this key would change the prototype. No message has it, and unknown fields are ignored.
    if (key !== '__proto__') map[key] = value
  }
  return map
}
