/**
 * What is known of one model's tokens: whether an id by itself is whole characters, so that text is complete up to it.
 * A byte each, for the ids of any vocabulary that is in use; of greater ids nothing is known.
 */
const vocabularyBound = 1 << 20
const whole = 1
const notWhole = 2

export class WholeTokens {
  readonly #known = new Uint8Array(vocabularyBound)

  /** Undefined where it is not known. */
  get(id: number): boolean | undefined {
    const known = this.#known[id]
    return known === whole ? true : known === notWhole ? false : undefined
  }

  learn(id: number, isWhole: boolean): void {
    if (id < vocabularyBound) this.#known[id] = isWhole ? whole : notWhole
  }
}
