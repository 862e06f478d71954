/** One streamed generation: reads the answer as it comes, holds it to its deadlines, and tells success from all that only looks like it. */
import { ChunkDecoder } from './chunk-decoder.ts'
import { EngineFailure, failureOf } from './failure.ts'
import type { Answer } from './http/connection.ts'
import { parseErrorBody } from './json.ts'
import { SseLimitError, SseParser } from './sse-parser.ts'
import type { StreamChunk } from './stream-chunk.ts'

export interface StreamDeadlines {
  /** From the request to the first data event. */
  readonly firstTokenMs: number
  /** Between data events. Comments that keep the connection alive are no progress. */
  readonly interTokenMs: number
}

export type StreamEnd =
  /** A finish reason that is a success came. */
  | { readonly type: 'finished'; readonly reason: 'stop' | 'length' }
  | { readonly type: 'failed'; readonly failure: EngineFailure }
  /** By `abort`. */
  | { readonly type: 'aborted' }

/** Each prompt id takes up to seven bytes of the first event: this is enough for a window of 500,000 tokens. */
const maxEventBytes = 4 * 1024 * 1024
const maxErrorBytes = 64 * 1024
const dataLine = Buffer.from('data: ')
const lf = 0x0a
/** For usage and `[DONE]`, which follow a finish reason at once. */
const tailMs = 1000

/**
 * waiting (no answer yet) → streaming (200) or refused (any other status: the body is the error) → over.
 * Once over, `done` is resolved, no chunk is passed on, and the connection is closed unless the answer is complete.
 */
export class EngineStream implements Answer {
  readonly done: Promise<StreamEnd>
  readonly #onChunk: (chunk: StreamChunk) => void
  readonly #deadlines: StreamDeadlines
  readonly #parser = new SseParser((bytes, start, end) => this.#event(bytes, start, end), maxEventBytes)
  readonly #decoder = new ChunkDecoder()
  #resolve!: (end: StreamEnd) => void
  /** Closes the connection; undefined once the answer is complete or the connection closed. */
  #closeConnection: (() => void) | undefined
  #over = false
  #status = 0
  #refusal: Buffer[] = []
  #refusalBytes = 0
  #finish: 'stop' | 'length' | null = null
  /** The last finish reason that is no success. */
  #otherReason: string | null = null
  #timer: NodeJS.Timeout
  /** On the clock of `performance.now`; null before the first data event. */
  #progressAt: number | null = null

  constructor(onChunk: (chunk: StreamChunk) => void, deadlines: StreamDeadlines) {
    this.done = new Promise((resolve) => {
      this.#resolve = resolve
    })
    this.#onChunk = onChunk
    this.#deadlines = deadlines
    this.#timer = setTimeout(this.#onTimer, deadlines.firstTokenMs)
  }

  /** Closes the connection at once, which makes the engine drop the request. No chunk comes after this. */
  abort(): void {
    this.#end({ type: 'aborted' })
  }

  /** It was asked for; `close` closes the connection. */
  asked(close: () => void): void {
    this.#closeConnection = close
  }

  head(status: number): void {
    this.#status = status
  }

  body(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return
    if (this.#status !== 200) {
      this.#refusalBytes += end - start
      if (this.#refusalBytes <= maxErrorBytes) this.#refusal.push(Buffer.from(bytes.subarray(start, end)))
      return
    }
    try {
      const from = this.#repeated(bytes, start, end)
      if (from < end) this.#parser.push(bytes, from, end)
    } catch (error) {
      if (error instanceof EngineFailure) this.#fail(error)
      else if (error instanceof SseLimitError) this.#fail(new EngineFailure('malformed', error.message))
      else this.#fail(new EngineFailure('malformed', 'the stream could not be read', { cause: error }))
    }
  }

  end(): void {
    this.#closeConnection = undefined
    if (this.#over) {
      clearTimeout(this.#timer)
      return
    }
    if (this.#status !== 200) this.#fail(failureOf(this.#status, parseErrorBody(Buffer.concat(this.#refusal).toString())))
    else this.#endOfStream('the connection ended')
  }

  fault(error: Error): void {
    this.#closeConnection = undefined
    clearTimeout(this.#timer)
    if (this.#finish !== null) this.#end({ type: 'finished', reason: this.#finish })
    else this.#fail(new EngineFailure('unavailable', error.message, { cause: error }))
  }

  /** Takes the events that repeat the one before, of which no line ends need be looked for. Gives where to go on. */
  #repeated(bytes: Buffer, start: number, to: number): number {
    let from = start
    while (from < to && !this.#over && this.#parser.isBetweenEvents && isDataLine(bytes, from, to)) {
      const chunk = this.#decoder.repeated(bytes, from + dataLine.length, to)
      const { end } = this.#decoder
      if (chunk === null || end + 2 > to || bytes[end] !== lf || bytes[end + 1] !== lf) break
      from = end + 2
      this.#take(chunk)
    }
    return from
  }

  #event(bytes: Buffer, start: number, end: number): void {
    if (this.#over) return
    const chunk = this.#decoder.decode(bytes, start, end)
    if (chunk === null) this.#endOfStream('[DONE] came')
    else this.#take(chunk)
  }

  #take(chunk: StreamChunk): void {
    const first = this.#progressAt === null
    this.#progressAt = performance.now()
    if (first) this.#rearm(this.#deadlines.interTokenMs)
    if (chunk.error !== null) {
      if (this.#finish === null) this.#fail(failureOf(chunk.error.code ?? 500, chunk.error))
      return
    }
    this.#onChunk(chunk)
    // The receiver may have aborted.
    if (this.#over || chunk.finishReason === null) return
    if (chunk.finishReason === 'stop' || chunk.finishReason === 'length') {
      this.#finish = chunk.finishReason
      this.#rearm(tailMs)
    } else {
      this.#otherReason = chunk.finishReason
    }
  }

  #endOfStream(how: string): void {
    if (this.#finish !== null) {
      this.#end({ type: 'finished', reason: this.#finish })
    } else {
      this.#fail(new EngineFailure('incomplete', this.#otherReason === null ? `${how} before a finish reason` : `finish reason ${JSON.stringify(this.#otherReason.slice(0, 40))}`))
    }
  }

  #fail(failure: EngineFailure): void {
    this.#end({ type: 'failed', failure })
  }

  #end(end: StreamEnd): void {
    if (this.#over) return
    this.#over = true
    clearTimeout(this.#timer)
    this.#refusal = []
    // After a finish the rest of the answer is let through, so that the connection can be used again.
    if (end.type !== 'finished') this.#close()
    else if (this.#closeConnection !== undefined) this.#rearm(tailMs)
    this.#resolve(end)
  }

  #close(): void {
    const close = this.#closeConnection
    this.#closeConnection = undefined
    close?.()
  }

  /** A token moves no timer: the timer looks, when it fires, whether tokens came, and waits anew. */
  readonly #onTimer = (): void => {
    if (this.#over) {
      this.#close()
      return
    }
    if (this.#finish !== null) {
      this.#end({ type: 'finished', reason: this.#finish })
      return
    }
    const waited = this.#progressAt === null ? null : performance.now() - this.#progressAt
    if (waited !== null && waited < this.#deadlines.interTokenMs) this.#rearm(this.#deadlines.interTokenMs - waited)
    else this.#fail(new EngineFailure('stalled', waited === null ? `no token within ${this.#deadlines.firstTokenMs} ms` : `no further token within ${this.#deadlines.interTokenMs} ms`))
  }

  #rearm(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(this.#onTimer, ms)
  }
}

function isDataLine(bytes: Buffer, start: number, to: number): boolean {
  if (start + dataLine.length > to) return false
  for (let at = 0; at < dataLine.length; at++) if (bytes[start + at] !== dataLine[at]) return false
  return true
}
