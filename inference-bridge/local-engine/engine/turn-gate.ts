/**
 * Lets a change of one sequence in between the steps of the others. The context computes step after step under one lock
 * for as long as any sequence asks for another; a change that needs this lock would wait until every running reply has
 * ended. So streams pass the gate before each step, and stand still while a change waits.
 */
export class TurnGate {
  #changes: Promise<void> | undefined

  /** Resolves at once unless a change waits. */
  async open(): Promise<void> {
    while (this.#changes !== undefined) await this.#changes
  }

  /** Changes run one after another. Rejects as `change` does. */
  async exclusively(change: () => Promise<void>): Promise<void> {
    const before = this.#changes ?? Promise.resolve()
    const done = before.then(change)
    const settled = done.then(noop, noop)
    this.#changes = settled
    try {
      await done
    } finally {
      if (this.#changes === settled) this.#changes = undefined
    }
  }
}

function noop(): void {}
