const firstMs = 50
const longestMs = 2_000

/** Pauses between tries, twice as long each time up to 2 s, of random length so that processes do not try in step. */
export class Backoff {
  readonly #stopping = new AbortController()
  #tries = 0

  reset(): void {
    this.#tries = 0
  }

  /** Ends early, and at once, after stop. */
  async wait(): Promise<void> {
    const ceiling = Math.min(longestMs, firstMs * 2 ** this.#tries)
    this.#tries += 1
    await new Promise<void>((resolve) => {
      const { signal } = this.#stopping
      if (signal.aborted) return resolve()
      const done = (): void => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ceiling * (0.5 + Math.random() / 2))
      signal.addEventListener('abort', done)
    })
  }

  stop(): void {
    this.#stopping.abort()
  }
}
