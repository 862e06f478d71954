/** Numbers of a sequence, drawn some at a time ahead of their use. One that is not used is a gap. */

/** Of one drawing: what a process that stops leaves unused. */
export const drawnAtOnce = 64
/** With so few left, more are drawn, so that hardly anybody waits. */
const few = 32

export class NumberStock {
  readonly #draw: (count: number) => Promise<readonly number[]>
  #numbers: number[] = []
  #drawing: Promise<void> | null = null

  constructor(draw: (count: number) => Promise<readonly number[]>) {
    this.#draw = draw
  }

  /** No number is given out twice. Rejects with what drawing rejects with. */
  async take(): Promise<number> {
    for (;;) {
      const number = this.#numbers.shift()
      if (this.#numbers.length < few) this.#drawMore()
      if (number !== undefined) return number
      await this.#drawing
    }
  }

  #drawMore(): void {
    if (this.#drawing !== null) return
    this.#drawing = this.#draw(drawnAtOnce)
      .then((numbers) => void this.#numbers.push(...numbers))
      .finally(() => {
        this.#drawing = null
      })
    // Whoever has a number needs no other: the next one to need it draws again.
    this.#drawing.catch(() => undefined)
  }
}
