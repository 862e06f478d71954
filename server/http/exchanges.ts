/** All requests that are not answered yet, and all answers that are still being written: their count, their clock, their end. */
import { ResponseSink, type SinkOwner } from './stream-sink.ts'
import type { HttpResponse } from 'uWebSockets.js'

/** A stream whose client takes nothing for this long is closed. */
const stallMs = 30_000

export class Exchanges implements SinkOwner {
  readonly #monotonic: () => number
  readonly #sinks = new Set<ResponseSink>()
  #waiting = 0
  #whenNone: (() => void)[] = []

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** Requests that wait for their answer. */
  get waiting(): number {
    return this.#waiting
  }

  /** Answers that are being streamed. */
  get streaming(): number {
    return this.#sinks.size
  }

  monotonic(): number {
    return this.#monotonic()
  }

  begin(): void {
    this.#waiting += 1
  }

  /** Answered, or its client is gone. */
  answered(): void {
    this.#waiting -= 1
    this.#tellIfNone()
  }

  stream(res: HttpResponse): ResponseSink {
    const sink = new ResponseSink(res, this)
    this.#sinks.add(sink)
    return sink
  }

  over(sink: ResponseSink): void {
    this.#sinks.delete(sink)
    this.#tellIfNone()
  }

  /** To be called each second or so. */
  tick(): void {
    for (const sink of this.#sinks) if (sink.stalledMs() >= stallMs) sink.giveUp()
  }

  /** Tells streams that they are to end, and resolves once all is answered and written; at the deadline by force. */
  async drain(deadlineMs: number): Promise<void> {
    for (const sink of [...this.#sinks]) sink.draining()
    if (this.#waiting + this.#sinks.size > 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, deadlineMs)
        this.#whenNone.push(() => {
          clearTimeout(timer)
          resolve()
        })
      })
    }
    this.cutAll()
  }

  cutAll(): void {
    for (const sink of [...this.#sinks]) sink.giveUp()
  }

  #tellIfNone(): void {
    if (this.#waiting + this.#sinks.size > 0) return
    for (const resolve of this.#whenNone.splice(0)) resolve()
  }
}

