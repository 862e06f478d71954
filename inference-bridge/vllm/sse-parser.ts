/**
 * Server-sent events out of bytes that may be cut anywhere, by the rules of
 * https://html.spec.whatwg.org/multipage/server-sent-events.html: lines end in LF, CR or CRLF, a BOM at the start is
 * dropped, comments and fields other than `data` are skipped, lines of `data` are joined by LF, and an event that no
 * blank line ends is dropped.
 */
export class SseLimitError extends Error {
  override readonly name = 'SseLimitError'
}

/** The event's data lies in `bytes` from `start` to `end`, as UTF-8; valid during the call only. */
export type OnSseData = (bytes: Buffer, start: number, end: number) => void

const lf = 0x0a
const cr = 0x0d
const space = 0x20
const colon = 0x3a
const bom = Buffer.from('\ufeff')
/** Of `data`. */
const fieldNameBytes = 4
const noBytes = Buffer.alloc(0)
const newline = Buffer.of(lf)

export class SseParser {
  readonly #onData: OnSseData
  readonly #maxEventBytes: number
  /** Pieces of a line whose end has not come, in order. */
  #partial: Buffer[] = []
  #partialBytes = 0
  #firstLine = true
  /** The last chunk ended in CR: an LF at the start of the next belongs to it. */
  #skipLf = false
  /** Data of the event that is being read: either a range of the chunk at hand, or copied where it has several lines or spans chunks. */
  #hasData = false
  #data: Buffer = noBytes
  #dataStart = 0
  #dataEnd = 0

  constructor(onData: OnSseData, maxEventBytes: number) {
    this.#onData = onData
    this.#maxEventBytes = maxEventBytes
  }

  /** A line of a new event may begin with the next byte: nothing is kept of what came, and nothing is to be skipped. */
  get isBetweenEvents(): boolean {
    return !this.#hasData && this.#partial.length === 0 && !this.#skipLf && !this.#firstLine
  }

  /** Throws SseLimitError where an event or a line grows beyond the limit; the stream cannot be read on then. Nothing of the bytes is kept. */
  push(bytes: Buffer, from: number, to: number): void {
    let start = from
    if (this.#skipLf && start < to) {
      this.#skipLf = false
      if (bytes[start] === lf) start += 1
    }
    for (let at = start; at < to; at++) {
      const byte = bytes[at] as number
      if (byte !== lf && byte !== cr) continue
      this.#endLine(bytes, start, at)
      if (byte === cr) {
        if (at + 1 === to) this.#skipLf = true
        else if (bytes[at + 1] === lf) at += 1
      }
      start = at + 1
    }
    this.#keepData()
    if (start < to) {
      this.#partialBytes += to - start
      this.#checkSize()
      this.#partial.push(Buffer.from(bytes.subarray(start, to)))
    }
  }

  #endLine(chunk: Buffer, start: number, end: number): void {
    if (this.#partial.length === 0) {
      this.#line(chunk, start, end)
      return
    }
    const line = Buffer.concat([...this.#partial, chunk.subarray(start, end)])
    this.#partial = []
    this.#partialBytes = 0
    this.#line(line, 0, line.length)
  }

  #line(bytes: Buffer, lineStart: number, end: number): void {
    let start = lineStart
    if (this.#firstLine) {
      this.#firstLine = false
      if (end - start >= bom.length && bytes.compare(bom, 0, bom.length, start, start + bom.length) === 0) start += bom.length
    }
    if (start === end) {
      this.#dispatch()
      return
    }
    if (!isDataField(bytes, start, end)) return
    let valueStart = Math.min(start + fieldNameBytes + 1, end)
    if (valueStart < end && bytes[valueStart] === space) valueStart += 1
    this.#addData(bytes, valueStart, end)
  }

  #addData(bytes: Buffer, start: number, end: number): void {
    if (!this.#hasData) {
      this.#hasData = true
      this.#data = bytes
      this.#dataStart = start
      this.#dataEnd = end
    } else {
      this.#data = Buffer.concat([this.#data.subarray(this.#dataStart, this.#dataEnd), newline, bytes.subarray(start, end)])
      this.#dataStart = 0
      this.#dataEnd = this.#data.length
    }
    this.#checkSize()
  }

  #dispatch(): void {
    if (!this.#hasData) return
    const bytes = this.#data
    const start = this.#dataStart
    const end = this.#dataEnd
    this.#dropData()
    this.#onData(bytes, start, end)
  }

  /** What the event has so far lies in a chunk that the caller may use again. */
  #keepData(): void {
    if (!this.#hasData) return
    this.#data = Buffer.from(this.#data.subarray(this.#dataStart, this.#dataEnd))
    this.#dataStart = 0
    this.#dataEnd = this.#data.length
  }

  #dropData(): void {
    this.#hasData = false
    this.#data = noBytes
    this.#dataStart = 0
    this.#dataEnd = 0
  }

  #checkSize(): void {
    if (this.#partialBytes + this.#dataEnd - this.#dataStart > this.#maxEventBytes) throw new SseLimitError(`an event of more than ${this.#maxEventBytes} bytes`)
  }
}

function isDataField(bytes: Buffer, start: number, end: number): boolean {
  const nameEnd = start + fieldNameBytes
  if (end < nameEnd || (end > nameEnd && bytes[nameEnd] !== colon)) return false
  return bytes[start] === 0x64 && bytes[start + 1] === 0x61 && bytes[start + 2] === 0x74 && bytes[start + 3] === 0x61
}
