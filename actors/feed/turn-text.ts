/** The text of one attempt, as its clients see it. Most of them stand where the last flush ended, and need no slice of the whole. */
export class TurnText {
  readonly turnId: string
  readonly attempt: number
  #flushed = ''
  /** Added since. It joins the rest at a flush, so that the whole has a part for each flush and not for each token. */
  #tail = ''

  constructor(turnId: string, attempt: number) {
    this.turnId = turnId
    this.attempt = attempt
  }

  get text(): string {
    return this.#flushed + this.#tail
  }

  get length(): number {
    return this.#flushed.length + this.#tail.length
  }

  add(text: string): void {
    this.#tail += text
  }

  from(offset: number): string {
    return offset === this.#flushed.length ? this.#tail : this.text.slice(offset)
  }

  flushed(): void {
    if (this.#tail === '') return
    this.#flushed += this.#tail
    this.#tail = ''
  }
}
