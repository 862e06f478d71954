/** Events for one reader at its own pace. */
import { ChatError } from '../protocol/errors.ts'

/** Events that wait for a reader at most. Then the stream ends with ChatError `too_slow`. */
const bound = 1024

export class EventStream<Event> implements AsyncIterableIterator<Event> {
  readonly #closed: () => void
  #events: Event[] = []
  #end: { readonly error: Error | null } | null = null
  #wake: (() => void) | null = null

  /** `closed` is called once it takes no more events. */
  constructor(closed: () => void) {
    this.#closed = closed
  }

  push(event: Event): void {
    if (this.#end !== null) return
    if (this.#events.length === bound) return this.end(new ChatError('too_slow', 'The events of the conversation were not read in time.'))
    this.#events.push(event)
    this.#wake?.()
  }

  /** What waits can still be read. */
  end(error: Error | null): void {
    if (this.#end !== null) return
    this.#end = { error }
    this.#closed()
    this.#wake?.()
  }

  [Symbol.asyncIterator](): this {
    return this
  }

  async next(): Promise<IteratorResult<Event>> {
    for (;;) {
      const event = this.#events.shift()
      if (event !== undefined) return { done: false, value: event }
      if (this.#end !== null) {
        const { error } = this.#end
        if (error !== null) throw error
        return { done: true, value: undefined }
      }
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
      this.#wake = null
    }
  }

  return(): Promise<IteratorResult<Event>> {
    this.#events = []
    this.end(null)
    return Promise.resolve({ done: true, value: undefined })
  }
}
