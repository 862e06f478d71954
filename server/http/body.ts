/** A request's body, counted as it comes: the header that says its length is only believed where it is too large. */
import type { HttpResponse } from 'uWebSockets.js'
import { ChatError } from '../../protocol/errors.ts'

/** All bodies of the process that are still coming, together. */
const heldBytes = 64 * 1024 * 1024
/** From the head of the request to the end of its body: uWebSockets.js ends the connection of a slow one after 8 s, without a word. */
const bodyMs = 6_000

export interface BodyRead {
  readonly body: Promise<Uint8Array>
  /** All of it has come. */
  readonly isComplete: boolean
  /** Nobody waits for it any more. */
  release(): void
}

interface Coming {
  readonly since: number
  readonly tooSlow: () => void
}

export class Bodies {
  readonly #monotonic: () => number
  /** In the order in which they began. */
  readonly #coming = new Set<Coming>()
  #held = 0

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** Bytes of bodies that are still coming. */
  get held(): number {
    return this.#held
  }

  /**
   * To be called before the handler of the library returns. Rejects with ChatError `body_too_large`, `body_too_slow` or
   * `overloaded`; never settles where the client goes away, of which the caller hears by `onAborted`: it then calls `release`.
   */
  read(res: HttpResponse, most: number, contentLength: string): BodyRead {
    const chunks: Uint8Array[] = []
    let bytes = 0
    let settled = false
    let isComplete = false
    let entry: Coming | undefined
    const settle = (): boolean => {
      if (settled) return false
      settled = true
      this.#held -= bytes
      if (entry !== undefined) this.#coming.delete(entry)
      return true
    }
    const body = new Promise<Uint8Array>((resolve, reject) => {
      const refuse = (code: 'body_too_large' | 'body_too_slow' | 'overloaded'): void => {
        if (settle()) reject(new ChatError(code))
      }
      entry = { since: this.#monotonic(), tooSlow: () => refuse('body_too_slow') }
      this.#coming.add(entry)
      if (Number(contentLength) > most) refuse('body_too_large')
      res.onData((chunk, isLast) => {
        isComplete = isLast
        if (settled) return
        if (bytes + chunk.byteLength > most) return refuse('body_too_large')
        if (this.#held + chunk.byteLength > heldBytes) return refuse('overloaded')
        bytes += chunk.byteLength
        this.#held += chunk.byteLength
        // The chunk is the library's, and gone after this call.
        chunks.push(new Uint8Array(chunk.slice(0)))
        if (isLast && settle()) resolve(chunks.length === 1 ? (chunks[0] as Uint8Array) : Buffer.concat(chunks))
      })
    })
    // Whoever refuses the request for another reason does not wait for it.
    body.catch(() => undefined)
    return {
      body,
      get isComplete() {
        return isComplete
      },
      release: () => void settle(),
    }
  }

  /** Refuses those that are too slow; to be called each second or so. */
  tick(): void {
    const now = this.#monotonic()
    for (const each of this.#coming) {
      if (now - each.since < bodyMs) break
      each.tooSlow()
    }
  }
}
