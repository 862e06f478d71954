import type { Answer } from './http/connection.ts'

export class AnswerTooLargeError extends Error {
  override readonly name = 'AnswerTooLargeError'
}

/** An answer that is read to its end, and then given at once. */
export class WholeAnswer implements Answer {
  /** Rejects with the connection's fault, or with AnswerTooLargeError. */
  readonly whole: Promise<{ readonly status: number; readonly text: string }>
  readonly #maxBytes: number
  #resolve!: (answer: { readonly status: number; readonly text: string }) => void
  #reject!: (error: Error) => void
  #status = 0
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve
      this.#reject = reject
    })
  }

  head(status: number): void {
    this.#status = status
  }

  body(bytes: Buffer, start: number, end: number): void {
    this.#bytes += end - start
    if (this.#bytes > this.#maxBytes) this.fault(new AnswerTooLargeError(`an answer of more than ${this.#maxBytes} bytes`))
    else this.#pieces.push(Buffer.from(bytes.subarray(start, end)))
  }

  end(): void {
    this.#resolve({ status: this.#status, text: Buffer.concat(this.#pieces).toString() })
  }

  fault(error: Error): void {
    this.#pieces = []
    this.#reject(error)
  }
}
