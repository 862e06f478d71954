/**
 * Messages on their way within the process: handed over one macrotask later, as by a wire, in the order they were sent.
 * They wait only until the event loop turns, so the bound is met only by who sends on and on without letting it.
 */
const mostBytes = 64 * 1024 * 1024
/** Handed over before the event loop turns again. */
const batchSize = 1_024

interface Delivery {
  readonly bytes: number
  readonly hand: () => void
  /** No message but a mark among them, which is never lost. */
  readonly mark: boolean
}

export class Deliveries {
  #waiting: Delivery[] = []
  /** Of the first that is not handed over yet. */
  #head = 0
  #bytes = 0
  #scheduled = false

  /** False where too much is on its way: the message is lost. `hand` must not throw. */
  add(bytes: number, hand: () => void): boolean {
    if (this.#bytes + bytes > mostBytes) return false
    this.#push({ bytes, hand, mark: false })
    return true
  }

  /** Resolves when all that was added before was handed over or lost. */
  passed(): Promise<void> {
    return new Promise((hand) => this.#push({ bytes: 0, hand, mark: true }))
  }

  /** Everything on its way is lost. */
  drop(): void {
    this.#waiting = this.#waiting.slice(this.#head).filter(({ mark }) => mark)
    this.#head = 0
    this.#bytes = 0
  }

  #push(delivery: Delivery): void {
    this.#waiting.push(delivery)
    this.#bytes += delivery.bytes
    if (this.#scheduled) return
    this.#scheduled = true
    setImmediate(() => this.#run())
  }

  /** Hands over what has come until now; what comes of that is for the next turn. */
  #run(): void {
    for (let left = Math.min(batchSize, this.#waiting.length - this.#head); left > 0; left -= 1) {
      const next = this.#waiting[this.#head]
      if (next === undefined) break
      this.#head += 1
      this.#bytes -= next.bytes
      next.hand()
    }
    this.#waiting = this.#waiting.slice(this.#head)
    this.#head = 0
    this.#scheduled = this.#waiting.length > 0
    if (this.#scheduled) setImmediate(() => this.#run())
  }
}
