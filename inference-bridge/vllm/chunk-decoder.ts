/**
 * The events of one stream as chunks. But for its text and its ids an engine says the same with every token: once an event
 * was read in full, those that repeat it byte for byte around both are read without parsing JSON. What the bytes around
 * them are, and in which order, is the engine's affair: nothing is assumed of its dialect.
 *
 * That this gives what parsing gives: in valid JSON, `"content":"` can only be a key (or the end of one) and the start of
 * its value, as a quote inside a string is escaped. Another string in that place, or other numbers in a list, leave all
 * else of the event as it was. Whether the chunk's text and ids are read from these places is tried, once for each shape.
 */
import { decodeStreamChunk, type StreamChunk } from './stream-chunk.ts'

/** What stands around text and ids. Without ids, `middle` goes to the end. */
interface Shape {
  readonly head: Buffer
  readonly middle: Buffer
  readonly tail: Buffer | null
  /** No line ends in it. */
  readonly isOneLine: boolean
}

const textKeys = ['"content":"', '"text":"'].map((key) => Buffer.from(key))
const idsKey = Buffer.from('"token_ids":[')
const lineEnd = /[\r\n]/
const quote = 0x22
const backslash = 0x5c
const comma = 0x2c
const bracket = 0x5d
const zero = 0x30
const nine = 0x39
const firstPrintable = 0x20
const firstBeyondAscii = 0x80
/** Of an id: below the least one that is refused, and far from where numbers are no longer exact. */
const mostDigits = 9
/** An engine whose every event has another shape is left alone after so many. */
const mostVain = 4
/** Larger events are not worth keeping: they repeat nothing. */
const mostShapeBytes = 2048
const notFound = -1

export class ChunkDecoder {
  #shape: Shape | null = null
  /** Shapes since the last one that served. */
  #vain = 0
  /** Where the ids of the last list that was read end, and then the event. */
  #at = 0

  /**
   * The event that begins here, where it is one line that repeats the one before and is whole; null where it may be
   * anything else. `end` is where its bytes end, which need not be looked for.
   */
  repeated(bytes: Buffer, start: number, to: number): StreamChunk | null {
    const chunk = this.#shape?.isOneLine === true ? this.#repeated(this.#shape, bytes, start, to) : null
    if (chunk !== null) this.#vain = 0
    return chunk
  }

  /** Of the event that `repeated` gave. */
  get end(): number {
    return this.#at
  }

  /** Null for `[DONE]`. Throws EngineFailure `malformed`. The bytes are not kept. */
  decode(bytes: Buffer, start: number, end: number): StreamChunk | null {
    if (this.#shape !== null) {
      const chunk = this.#repeated(this.#shape, bytes, start, end)
      if (chunk !== null && this.#at === end) {
        this.#vain = 0
        return chunk
      }
    }
    const chunk = decodeStreamChunk(bytes, start, end)
    if (chunk !== null && this.#vain < mostVain && isOfToken(chunk) && end - start <= mostShapeBytes) {
      this.#shape = shapeOf(Buffer.from(bytes.subarray(start, end)), chunk)
      this.#vain += 1
    }
    return chunk
  }

  /** Null where it is to be parsed; else `#at` is where it ends, `end` at most. */
  #repeated({ head, middle, tail }: Shape, bytes: Buffer, start: number, end: number): StreamChunk | null {
    const textStart = start + head.length
    if (textStart + middle.length > end || !matches(head, bytes, start)) return null
    let textEnd = textStart
    let isPlain = true
    for (; ; textEnd++) {
      if (textEnd >= end) return null
      const byte = bytes[textEnd] as number
      if (byte === quote) break
      if (byte < firstPrintable) return null
      if (byte === backslash) {
        isPlain = false
        // What is escaped does not end the string.
        textEnd += 1
      } else if (byte >= firstBeyondAscii) {
        isPlain = false
      }
    }
    const middleEnd = textEnd + middle.length
    if (middleEnd > end || !matches(middle, bytes, textEnd)) return null
    let ids: number[] | null = null
    if (tail === null) {
      this.#at = middleEnd
    } else {
      ids = this.#ids(bytes, middleEnd, end)
      if (ids === null || this.#at + tail.length > end || !matches(tail, bytes, this.#at)) return null
      this.#at += tail.length
    }
    const text = isPlain ? bytes.toString('latin1', textStart, textEnd) : parseString(bytes, textStart - 1, textEnd + 1)
    return text === null ? null : { text, ids, promptIds: null, finishReason: null, usage: null, error: null }
  }

  /** Of a list in the form that JSON has for whole numbers, without blanks; `#at` is at its bracket then. */
  #ids(bytes: Buffer, start: number, end: number): number[] | null {
    let ids: number[] | null = null
    for (let at = start; at < end; at++) {
      const first = at
      let id = 0
      for (; at < end; at++) {
        const byte = bytes[at] as number
        if (byte < zero || byte > nine) break
        id = id * 10 + byte - zero
      }
      const digits = at - first
      if (digits === 0 || digits > mostDigits || (digits > 1 && bytes[first] === zero)) return null
      // An empty list that grows takes room for seventeen at once.
      if (ids === null) ids = [id]
      else ids.push(id)
      if (bytes[at] === comma) continue
      this.#at = at
      return at < end && bytes[at] === bracket ? ids : null
    }
    return null
  }
}

/** A token and nothing else. */
function isOfToken({ promptIds, finishReason, usage, error }: StreamChunk): boolean {
  return promptIds === null && finishReason === null && usage === null && error === null
}

/** Null where text and ids are not found, or not in this order. */
function shapeOf(event: Buffer, chunk: StreamChunk): Shape | null {
  for (const key of textKeys) {
    const at = event.indexOf(key)
    const textEnd = at === notFound ? notFound : endOfString(event, at + key.length)
    if (textEnd === notFound) continue
    const head = event.subarray(0, at + key.length)
    const shape = { head, ...restOf(event, textEnd, chunk.ids), isOneLine: !lineEnd.test(event.toString('latin1')) }
    if (holds(shape, chunk)) return shape
  }
  return null
}

function restOf(event: Buffer, textEnd: number, ids: readonly number[] | null): Pick<Shape, 'middle' | 'tail'> {
  const at = event.indexOf(idsKey, textEnd)
  if (ids === null || at === notFound) return { middle: event.subarray(textEnd), tail: null }
  const idsStart = at + idsKey.length
  return { middle: event.subarray(textEnd, idsStart), tail: event.subarray(event.indexOf(bracket, idsStart)) }
}

/** Whether text and ids of a chunk are read from these places, and all else from elsewhere. */
function holds({ head, middle, tail }: Shape, chunk: StreamChunk): boolean {
  if ((tail === null) !== (chunk.ids === null)) return false
  const text = `${chunk.text}+`
  const ids = chunk.ids === null ? null : [...chunk.ids, 0]
  const other = Buffer.concat([head, Buffer.from(JSON.stringify(text).slice(1, -1)), middle, ...(tail === null ? [] : [Buffer.from(String(ids)), tail])])
  try {
    const read = decodeStreamChunk(other, 0, other.length)
    return read !== null && isOfToken(read) && read.text === text && String(read.ids) === String(ids)
  } catch {
    return false
  }
}

function endOfString(event: Buffer, start: number): number {
  for (let at = start; at < event.length; at++) {
    if (event[at] === quote) return at
    if (event[at] === backslash) at += 1
  }
  return notFound
}

function matches(expected: Buffer, bytes: Buffer, start: number): boolean {
  return bytes.compare(expected, 0, expected.length, start, start + expected.length) === 0
}

/** Of a string of JSON with its quotes; null where it is none. */
function parseString(bytes: Buffer, start: number, end: number): string | null {
  try {
    return JSON.parse(bytes.toString('utf8', start, end)) as string
  } catch {
    return null
  }
}
