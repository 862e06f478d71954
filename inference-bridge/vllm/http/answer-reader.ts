/**
 * One answer of HTTP/1.1 (RFC 9112) out of bytes that may be cut anywhere, as a server gives it to a POST. It is stricter
 * than the standard where leniency serves nobody: a length that is told twice or beside chunks, an encoding besides
 * chunks, or a line of the head that is no field are errors. Trailers are skipped, and so are interim answers (1xx).
 *
 * head → body (by chunks, by length, or until the connection ends) → over.
 */
export class AnswerError extends Error {
  override readonly name = 'AnswerError'
}

export interface AnswerEvents {
  head(status: number): void
  /** The body's bytes from `start` to `end`, valid during the call only. */
  body(bytes: Buffer, start: number, end: number): void
}

/** What the connection is good for once the answer is over. */
export interface KeepAlive {
  /** It can take another request. */
  readonly reusable: boolean
  /** After which the server closes it, where it says so. */
  readonly idleMs: number | null
}

type State = 'head' | 'length' | 'chunk_size' | 'chunk' | 'chunk_end' | 'trailer' | 'until_close' | 'over'

/** Of status line and fields together, of trailers together, and of a chunk's extensions. */
const maxLineBytes = 16 * 1024
/** 16 TiB. */
const maxSizeDigits = 11
const lf = 0x0a
const cr = 0x0d

export class AnswerReader {
  readonly #events: AnswerEvents
  #state: State = 'head'
  /** The beginning of a line whose end has not come. */
  #line = ''
  /** Lines of this head or of the trailers so far, together with the one that is read. */
  #lineBytes = 0
  #status = 0
  #version = ''
  #length: number | null = null
  #chunked = false
  #close = false
  #keepAlive = false
  #idleMs: number | null = null
  /** Bytes of the body, or of its chunk, that are to come. */
  #left = 0

  constructor(events: AnswerEvents) {
    this.#events = events
  }

  get over(): boolean {
    return this.#state === 'over'
  }

  /** For once it is over. */
  get keepAlive(): KeepAlive {
    return { reusable: !this.#close && (this.#version === '1.1' || this.#keepAlive), idleMs: this.#idleMs }
  }

  /** Throws AnswerError; nothing can be read on then. What follows the answer is no part of it: an error. */
  push(bytes: Buffer, start: number, end: number): void {
    let at = start
    while (at < end) {
      switch (this.#state) {
        case 'over':
          throw new AnswerError('bytes that nobody asked for')
        case 'until_close':
          this.#events.body(bytes, at, end)
          return
        case 'length':
        case 'chunk': {
          const to = Math.min(end, at + this.#left)
          this.#left -= to - at
          if (this.#left === 0) this.#state = this.#state === 'length' ? 'over' : 'chunk_end'
          this.#events.body(bytes, at, to)
          at = to
          break
        }
        default:
          at = this.#readLine(bytes, at, end)
      }
    }
  }

  /** The server has closed the connection. Throws AnswerError where the answer is not complete. */
  end(): void {
    if (this.#state === 'until_close') this.#state = 'over'
    if (this.#state !== 'over') throw new AnswerError('the connection ended within the answer')
  }

  /** Gives where to go on. */
  #readLine(bytes: Buffer, start: number, end: number): number {
    let at = start
    while (at < end && bytes[at] !== lf) at++
    this.#lineBytes += at - start
    if (this.#lineBytes > maxLineBytes) throw new AnswerError(`lines of more than ${maxLineBytes} bytes`)
    const isWhole = at < end
    const to = isWhole && at > start && bytes[at - 1] === cr ? at - 1 : at
    if (this.#line === '' && isWhole) {
      if (this.#state === 'chunk_size') this.#beginChunk(chunkSize(bytes, start, to))
      else this.#endLine(bytes.toString('latin1', start, to))
      return at + 1
    }
    this.#line += bytes.toString('latin1', start, to)
    if (!isWhole) return end
    const line = this.#line.endsWith('\r') ? this.#line.slice(0, -1) : this.#line
    this.#line = ''
    if (this.#state === 'chunk_size') this.#beginChunk(chunkSize(Buffer.from(line, 'latin1'), 0, line.length))
    else this.#endLine(line)
    return at + 1
  }

  #endLine(line: string): void {
    switch (this.#state) {
      case 'head':
        if (this.#status === 0) this.#readStatus(line)
        else if (line === '') this.#endHead()
        else this.#readField(line)
        return
      case 'chunk_end':
        if (line !== '') throw new AnswerError('a chunk that does not end where it says')
        this.#lineBytes = 0
        this.#state = 'chunk_size'
        return
      default:
        if (line === '') this.#state = 'over'
    }
  }

  #beginChunk(size: number): void {
    this.#lineBytes = 0
    this.#left = size
    this.#state = size === 0 ? 'trailer' : 'chunk'
  }

  #readStatus(line: string): void {
    const [, version, status] = /^HTTP\/(1\.[01]) ([1-5]\d\d)(?: |$)/.exec(line) ?? []
    if (version === undefined) throw new AnswerError('no status line')
    this.#version = version
    this.#status = Number(status)
    if (this.#status === 101) throw new AnswerError('another protocol, which nobody asked for')
  }

  #readField(line: string): void {
    const colon = line.indexOf(':')
    if (!/^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/.test(line.slice(0, colon))) throw new AnswerError('a line that is no field')
    const value = line.slice(colon + 1).trim()
    switch (line.slice(0, colon).toLowerCase()) {
      case 'content-length':
        if (this.#length !== null || !/^\d{1,15}$/.test(value)) throw new AnswerError('a content length that is none')
        this.#length = Number(value)
        return
      case 'transfer-encoding':
        if (this.#chunked || value.toLowerCase() !== 'chunked') throw new AnswerError('an unknown transfer encoding')
        this.#chunked = true
        return
      case 'connection': {
        const options = value.toLowerCase().split(',').map((option) => option.trim())
        this.#close ||= options.includes('close')
        this.#keepAlive ||= options.includes('keep-alive')
        return
      }
      case 'keep-alive': {
        const seconds = /(?:^|[,\s])timeout=(\d{1,6})/i.exec(value)?.[1]
        if (seconds !== undefined) this.#idleMs = Number(seconds) * 1000
      }
    }
  }

  #endHead(): void {
    this.#lineBytes = 0
    if (this.#status < 200) {
      this.#status = 0
      this.#length = null
      this.#chunked = false
      return
    }
    if (this.#chunked && this.#length !== null) throw new AnswerError('a content length beside chunks')
    const hasBody = this.#status !== 204 && this.#status !== 304
    if (!hasBody) this.#state = 'over'
    else if (this.#chunked) this.#state = 'chunk_size'
    else if (this.#length === null) this.#state = 'until_close'
    else if (this.#length === 0) this.#state = 'over'
    else this.#state = 'length'
    this.#left = this.#length ?? 0
    this.#close ||= this.#state === 'until_close'
    this.#events.head(this.#status)
  }
}

/** Of `<hex>[;extensions]`, of which the extensions are skipped. */
function chunkSize(bytes: Buffer, start: number, end: number): number {
  let size = 0
  let at = start
  for (; at < end; at++) {
    const digit = hexDigit(bytes[at] as number)
    if (digit === -1) break
    size = size * 16 + digit
  }
  const isEnded = at === end || /^[ \t]*(;|$)/.test(bytes.toString('latin1', at, end))
  if (at === start || at - start > maxSizeDigits || !isEnded) throw new AnswerError('a chunk of no size')
  return size
}

function hexDigit(byte: number): number {
  if (byte >= 0x30 && byte <= 0x39) return byte - 0x30
  const letter = byte | 0x20
  return letter >= 0x61 && letter <= 0x66 ? letter - 0x57 : -1
}
