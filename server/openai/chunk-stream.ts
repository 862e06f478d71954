/**
 * A reply as server-sent events of OpenAI's API. What comes within a turn of the event loop is one chunk and one write.
 * An error is an event of its own; whatever the end is, `data: [DONE]` follows.
 */
import { openAiError } from '../../protocol/openai/errors.ts'
import { eventStreamHeaders, keepAlive, sendComment } from '../http/event-stream.ts'
import { jsonLine } from '../http/json-line.ts'
import type { StreamAnswer } from '../http/answer.ts'
import type { StreamListener, StreamSink } from '../http/stream-sink.ts'
import { errorOf } from '../turns/reply-error.ts'
import type { ReplyEnd, ReplyReader } from '../turns/reply-reader.ts'
import { TurnFollower, type TurnFollowerOptions } from '../turns/turn-follower.ts'
import type { ReplyChunks, ReplyForm } from './reply-form.ts'

export interface ChunkStreamOptions extends Pick<TurnFollowerOptions, 'service' | 'turn'> {
  readonly form: ReplyForm
  readonly id: string
  /** Seconds since the epoch. */
  readonly created: number
  /** As asked for, where nobody tells which is served. */
  readonly model: string
  /** Milliseconds between the comments of a stream that has nothing else to say. */
  readonly keepAliveMs: number
  /** The client went away before the end. */
  readonly onLeft: () => void
}

export function chunkStream(options: ChunkStreamOptions, headers: Readonly<Record<string, string>>): StreamAnswer {
  return {
    status: 200,
    headers: eventStreamHeaders(headers),
    open: (sink) => new ChunkStream(sink, options),
    discard: options.onLeft,
  }
}

class ChunkStream implements ReplyReader, StreamListener {
  readonly #sink: StreamSink
  readonly #options: ChunkStreamOptions
  readonly #follower: TurnFollower
  readonly #keepAlive: NodeJS.Timeout
  #chunks: ReplyChunks | null = null
  /** Not written yet: what comes in the same turn of the event loop joins it. */
  #text = ''

  constructor(sink: StreamSink, options: ChunkStreamOptions) {
    this.#sink = sink
    this.#options = options
    const { service, turn } = options
    this.#follower = new TurnFollower({ service, turn, reader: this })
    this.#keepAlive = keepAlive(sink, options.keepAliveMs)
    // The head goes out with it.
    sendComment(sink)
    this.#follower.start()
  }

  get writable(): boolean {
    return this.#sink.writable
  }

  started(_attempt: number, model: string): void {
    if (this.#chunks === null) this.#write(this.#begin(model).begin())
  }

  text(text: string): void {
    if (this.#text === '') queueMicrotask(() => this.#flush())
    this.#text += text
  }

  ended(end: ReplyEnd): void {
    this.#flush()
    this.#close()
    this.#sink.write(`${this.#last(end)}data: [DONE]\n\n`)
    this.#sink.end()
  }

  drained(): void {
    this.#follower.pump()
  }

  closed(): void {
    this.#close()
    this.#options.onLeft()
  }

  /** Its client cannot go on elsewhere: it is served as long as the server is there. */
  draining(): void {}

  #last(end: ReplyEnd): string {
    if (end.type !== 'finished') return event(openAiError(errorOf(end)))
    const begun = this.#chunks
    const chunks = begun ?? this.#begin(end.model ?? this.#options.model)
    return [...(begun === null ? chunks.begin() : []), ...chunks.end(end)].map(event).join('')
  }

  #flush(): void {
    const text = this.#text
    this.#text = ''
    if (text === '') return
    const begun = this.#chunks
    const chunks = begun ?? this.#begin(this.#options.model)
    this.#write([...(begun === null ? chunks.begin() : []), ...chunks.text(text)])
  }

  #begin(model: string): ReplyChunks {
    const { form, id, created } = this.#options
    return (this.#chunks = form.chunks({ id, created, model }))
  }

  #write(chunks: readonly object[]): void {
    if (chunks.length > 0) this.#sink.write(chunks.map(event).join(''))
  }

  #close(): void {
    this.#follower.close()
    clearInterval(this.#keepAlive)
  }
}

function event(value: object): string {
  return `data: ${jsonLine(value)}\n\n`
}
