/**
 * A reply as server-sent events, in the bytes of the specification: `data: {"token": "Once", "done": false}`, and
 * `data: [DONE]` at its end. What comes within a turn of the event loop is one event and one write.
 */
import type { PublicError } from '../../protocol/errors.ts'
import type { TurnError } from '../../protocol/websocket/fields.ts'
import type { TurnPosition } from '../../actors/conversation-service.ts'
import { eventStreamHeaders, keepAlive } from '../http/event-stream.ts'
import { jsonLine } from '../http/json-line.ts'
import type { StreamAnswer } from '../http/answer.ts'
import type { StreamListener, StreamSink } from '../http/stream-sink.ts'
import type { ReplyEnd, ReplyReader } from '../turns/reply-reader.ts'
import { TurnFollower, type TurnFollowerOptions } from '../turns/turn-follower.ts'

/** How long browsers wait before they connect again, in milliseconds. */
const retryMs = 1_000
/** Streams of a server that stops end within this time, so that not all of them come to the next one at once. */
const drainWithinMs = 1_000

export interface ReplyStreamOptions extends Pick<TurnFollowerOptions, 'service' | 'turn' | 'known'> {
  readonly position?: TurnPosition
  /** Milliseconds between the comments of a stream that has nothing else to say. */
  readonly keepAliveMs: number
  /** Whether the client can go on elsewhere by itself: then its stream ends early where the server stops. */
  readonly resumes: boolean
  /** The client went away before the end. */
  readonly onLeft?: () => void
}

export function replyStream(options: ReplyStreamOptions, headers: Readonly<Record<string, string>> = {}): StreamAnswer {
  return {
    status: 200,
    headers: eventStreamHeaders(headers),
    open: (sink) => new ReplyStream(sink, options),
    ...(options.onLeft === undefined ? {} : { discard: options.onLeft }),
  }
}

class ReplyStream implements ReplyReader, StreamListener {
  readonly #sink: StreamSink
  readonly #options: ReplyStreamOptions
  readonly #follower: TurnFollower
  readonly #keepAlive: NodeJS.Timeout
  #leaving: NodeJS.Timeout | null = null
  /** Not written yet: what comes in the same turn of the event loop joins it. */
  #text = ''
  #id = ''
  #scheduled = false

  constructor(sink: StreamSink, options: ReplyStreamOptions) {
    this.#sink = sink
    this.#options = options
    const { service, turn, position, known } = options
    this.#follower = new TurnFollower({ service, turn, reader: this, ...(position === undefined ? {} : { position }), ...(known === undefined ? {} : { known }) })
    this.#keepAlive = keepAlive(sink, options.keepAliveMs)
    sink.write(`retry: ${retryMs}\n\n`)
    this.#follower.start()
  }

  get writable(): boolean {
    return this.#sink.writable
  }

  text(text: string, attempt: number, end: number): void {
    this.#text += text
    this.#id = `${attempt}:${end}`
    if (this.#scheduled) return
    this.#scheduled = true
    queueMicrotask(() => this.#flush())
  }

  ended(end: ReplyEnd): void {
    const error = errorOf(end)
    const failed = error === null ? '' : `event: error\ndata: {"token": "", "done": true, "error": ${jsonLine(error)}}\n\n`
    const last = `${this.#event()}${failed}id: done\ndata: [DONE]\n\n`
    this.#close()
    this.#sink.write(last)
    this.#sink.end()
  }

  drained(): void {
    this.#follower.pump()
  }

  closed(): void {
    this.#close()
    this.#options.onLeft?.()
  }

  draining(): void {
    if (!this.#options.resumes) return
    this.#leaving ??= setTimeout(() => {
      this.#flush()
      this.#close()
      // Not `end`: the client is to see that something is missing.
      this.#sink.cut()
    }, Math.random() * drainWithinMs)
  }

  #flush(): void {
    const event = this.#event()
    if (event !== '') this.#sink.write(event)
  }

  #event(): string {
    this.#scheduled = false
    const text = this.#text
    this.#text = ''
    return text === '' ? '' : `id: ${this.#id}\ndata: {"token": ${jsonLine(text)}, "done": false}\n\n`
  }

  #close(): void {
    this.#follower.close()
    clearInterval(this.#keepAlive)
    if (this.#leaving !== null) clearTimeout(this.#leaving)
  }
}

function errorOf(end: ReplyEnd): PublicError | TurnError | null {
  switch (end.type) {
    case 'finished':
      return null
    case 'failed':
      return end.error
    case 'broken':
      return end.error.toPublic()
  }
}
