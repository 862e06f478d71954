/**
 * The text of a reply, which grows by a token at a time while the newest of it is read after each. V8 joins strings
 * without copying, until part of one is read: then it copies all of it. So what is older stands apart, in large pieces
 * that nobody reads before the end, and reading the newest copies as much of a long reply as of a short one.
 */
const mostNewest = 256
/** What stays among the newest: more than is read behind at a time, but for a reader that is late. */
const keptNewest = 64

export class GrowingText {
  #older = ''
  #newest: string

  constructor(text = '') {
    this.#newest = text
  }

  /** UTF-16 code units, as all positions here. */
  get length(): number {
    return this.#older.length + this.#newest.length
  }

  get whole(): string {
    return this.#older + this.#newest
  }

  append(piece: string): void {
    if (this.#newest.length > mostNewest) {
      this.#older += this.#newest.slice(0, -keptNewest)
      this.#newest = this.#newest.slice(-keptNewest)
    }
    this.#newest += piece
  }

  /** As of a string; cheap near its end. */
  slice(from: number, to = this.length): string {
    const older = this.#older.length
    return from < older ? this.whole.slice(from, to) : this.#newest.slice(from - older, to - older)
  }

  /** Drops what follows the first `length` units. */
  truncate(length: number): void {
    if (length >= this.length) return
    this.#newest = this.slice(0, length)
    this.#older = ''
  }
}
