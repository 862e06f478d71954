/**
 * Tells bridges to stop runs that are over. A stale run sends many times a second, and each time is a reason to tell it;
 * it is told once a second, which is enough where the word before was lost.
 */
const againAfterMs = 1_000
/** Runs remembered; beyond it the oldest are forgotten, and may be told twice. */
const longestMemory = 10_000

export class Aborts {
  readonly #monotonic: () => number
  readonly #send: (bridge: string, turnId: string, run: number) => void
  readonly #toldAt = new Map<string, number>()

  constructor(options: { readonly monotonic: () => number; readonly send: (bridge: string, turnId: string, run: number) => void }) {
    this.#monotonic = options.monotonic
    this.#send = options.send
  }

  tell(bridge: string, turnId: string, run: number): void {
    const key = `${bridge} ${turnId} ${run}`
    const now = this.#monotonic()
    if (now - (this.#toldAt.get(key) ?? -Infinity) < againAfterMs) return
    // Those told last stand last.
    this.#toldAt.delete(key)
    this.#toldAt.set(key, now)
    if (this.#toldAt.size > longestMemory) this.#toldAt.delete(this.#toldAt.keys().next().value as string)
    this.#send(bridge, turnId, run)
  }
}
