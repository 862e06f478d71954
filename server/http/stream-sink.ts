/**
 * An answer that is written bit by bit. What the network does not take at once is kept by the library: at most what was
 * written while `writable` was true, as writers stop then and go on at `drained`.
 */
import type { HttpResponse } from 'uWebSockets.js'

/** Of an answer that is streamed. None of them may throw. */
export interface StreamListener {
  /** What was written is on its way: the sink is writable again. */
  drained(): void
  /** The client is gone, or took nothing for too long; nothing can be written any more. Not called after `end`. */
  closed(): void
  /** The server is about to stop: the stream is to end soon, so that the client goes on elsewhere. */
  draining(): void
}

export interface StreamSink {
  /** False while the network has not taken what was written, and once the stream is over. */
  readonly writable: boolean
  /** Written whole, or dropped where the stream is over. */
  write(chunk: string | Uint8Array): void
  /** Complete: the client sees that nothing is missing. */
  end(): void
  /** Breaks the connection: the client sees that something is missing. */
  cut(): void
}

export interface SinkOwner {
  monotonic(): number
  /** No writes will follow, whoever ended it. */
  over(sink: ResponseSink): void
}

export class ResponseSink implements StreamSink {
  readonly #owner: SinkOwner
  /** Null once the stream is over: any call on the response throws then. */
  #res: HttpResponse | null
  #listener: StreamListener | null = null
  #isWhole = false
  #blockedSince: number | null = null

  constructor(res: HttpResponse, owner: SinkOwner) {
    this.#res = res
    this.#owner = owner
    res.onWritable(() => {
      this.#drained()
      return true
    })
  }

  get writable(): boolean {
    return this.#res !== null && this.#blockedSince === null
  }

  /** It ended as it was meant to. */
  get isWhole(): boolean {
    return this.#isWhole
  }

  listen(listener: StreamListener): void {
    this.#listener = listener
  }

  write(chunk: string | Uint8Array): void {
    const res = this.#res
    if (res === null) return
    let taken = true
    res.cork(() => {
      taken = res.write(chunk)
    })
    if (!taken) this.#blockedSince ??= this.#owner.monotonic()
  }

  end(): void {
    this.#isWhole = this.#res !== null
    const res = this.#over()
    res?.cork(() => res.end())
  }

  cut(): void {
    this.#over()?.close()
  }

  /** The client is gone. */
  aborted(): void {
    if (this.#over() !== null) this.#listener?.closed()
  }

  /** Milliseconds for which the network has taken nothing. */
  stalledMs(): number {
    return this.#blockedSince === null ? 0 : this.#owner.monotonic() - this.#blockedSince
  }

  /** The client takes nothing: it is as good as gone. */
  giveUp(): void {
    const res = this.#over()
    if (res === null) return
    res.close()
    this.#listener?.closed()
  }

  draining(): void {
    if (this.#res !== null) this.#listener?.draining()
  }

  #drained(): void {
    if (this.#res === null || this.#blockedSince === null) return
    this.#blockedSince = null
    this.#listener?.drained()
  }

  #over(): HttpResponse | null {
    const res = this.#res
    this.#res = null
    this.#blockedSince = null
    if (res !== null) this.#owner.over(this)
    return res
  }
}
