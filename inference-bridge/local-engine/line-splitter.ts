/** Cuts a stream of text into lines. Of a line longer than `maxLength` the rest is dropped. */
export class LineSplitter {
  readonly #maxLength: number
  readonly #onLine: (line: string) => void
  #line = ''

  constructor(maxLength: number, onLine: (line: string) => void) {
    this.#maxLength = maxLength
    this.#onLine = onLine
  }

  push(text: string): void {
    const [first = '', ...others] = text.split('\n')
    this.#append(first)
    for (const part of others) {
      this.#emit()
      this.#append(part)
    }
  }

  /** A last line may lack its end. */
  end(): void {
    if (this.#line !== '') this.#emit()
  }

  #append(part: string): void {
    this.#line += part.slice(0, this.#maxLength - this.#line.length)
  }

  #emit(): void {
    const line = this.#line
    this.#line = ''
    this.#onLine(line.endsWith('\r') ? line.slice(0, -1) : line)
  }
}
