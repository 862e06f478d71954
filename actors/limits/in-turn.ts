/** Work that is done one after another for each key, in the order in which it was asked for. */
export class InTurn {
  /** The last of each key that is under way. */
  readonly #last = new Map<string, Promise<unknown>>()

  /** `work` may reject: the next goes on all the same. */
  run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.#last.get(key) ?? Promise.resolve()
    const next = before.then(work, work).finally(() => {
      if (this.#last.get(key) === next) this.#last.delete(key)
    })
    this.#last.set(key, next)
    return next
  }
}
