/** The earliest first: a binary heap of times with a number each, in typed arrays, as a million are held. */
export class TimeHeap {
  #times: Float64Array
  #values: Uint32Array
  #size = 0

  constructor(most: number) {
    this.#times = new Float64Array(most)
    this.#values = new Uint32Array(most)
  }

  get size(): number {
    return this.#size
  }

  /** Infinity where it is empty. */
  get earliest(): number {
    return this.#size === 0 ? Infinity : (this.#times[0] as number)
  }

  push(time: number, value: number): void {
    let at = this.#size
    this.#size += 1
    while (at > 0) {
      const parent = (at - 1) >> 1
      if ((this.#times[parent] as number) <= time) break
      this.#move(parent, at)
      at = parent
    }
    this.#times[at] = time
    this.#values[at] = value
  }

  /** The number of the earliest; the heap must not be empty. */
  pop(): number {
    const first = this.#values[0] as number
    this.#size -= 1
    const time = this.#times[this.#size] as number
    const value = this.#values[this.#size] as number
    let at = 0
    for (;;) {
      let child = 2 * at + 1
      if (child >= this.#size) break
      if (child + 1 < this.#size && (this.#times[child + 1] as number) < (this.#times[child] as number)) child += 1
      if ((this.#times[child] as number) >= time) break
      this.#move(child, at)
      at = child
    }
    this.#times[at] = time
    this.#values[at] = value
    return first
  }

  #move(from: number, to: number): void {
    this.#times[to] = this.#times[from] as number
    this.#values[to] = this.#values[from] as number
  }
}
