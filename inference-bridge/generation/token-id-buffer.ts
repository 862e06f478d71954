/** Token ids of one reply in the form in which they travel (unsigned 32-bit, little-endian), appended in amortized O(1). */
const bytesPerId = 4
/** Set in ids that are no text: end of sequence and stop ids. No vocabulary is that large. */
const noTextMark = 0x80000000

export class TokenIdBuffer {
  #bytes: Uint8Array
  #view: DataView
  #count: number

  constructor(bytes: Uint8Array = new Uint8Array(0)) {
    this.#bytes = Uint8Array.from(bytes)
    this.#view = new DataView(this.#bytes.buffer)
    this.#count = Math.floor(bytes.byteLength / bytesPerId)
  }

  get count(): number {
    return this.#count
  }

  append(ids: readonly number[]): void {
    this.#reserve(this.#count + ids.length)
    for (const id of ids) this.#view.setUint32(bytesPerId * this.#count++, id, true)
  }

  markLastAsNoText(): void {
    if (this.#count > 0) this.#set(this.#count - 1, this.#get(this.#count - 1) | noTextMark)
  }

  get lastIsNoText(): boolean {
    return this.#count > 0 && (this.#get(this.#count - 1) & noTextMark) !== 0
  }

  /** Drops what follows the first `count` ids. */
  truncate(count: number): void {
    this.#count = Math.min(this.#count, count)
  }

  /** A view that is valid until the next change. */
  bytes(from: number, to: number): Uint8Array {
    return this.#bytes.subarray(from * bytesPerId, to * bytesPerId)
  }

  /** Without marks. */
  list(from: number, to: number): number[] {
    const ids: number[] = []
    for (let at = Math.max(0, from); at < to; at++) ids.push(this.#get(at) & ~noTextMark)
    return ids
  }

  #get(index: number): number {
    return this.#view.getUint32(index * bytesPerId, true)
  }

  #set(index: number, id: number): void {
    this.#view.setUint32(index * bytesPerId, id, true)
  }

  #reserve(count: number): void {
    const needed = count * bytesPerId
    if (needed <= this.#bytes.byteLength) return
    const grown = new Uint8Array(Math.max(needed, this.#bytes.byteLength * 2, 256))
    grown.set(this.#bytes)
    this.#bytes = grown
    this.#view = new DataView(grown.buffer)
  }
}
