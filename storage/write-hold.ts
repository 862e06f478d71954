/**
 * A write that nobody waits for yet. While it is held it may go with others' writes, and until it goes its writer may take it
 * back. A store that holds nothing back leaves it alone.
 */
export class WriteHold {
  #held: { readonly release: () => void; readonly withdraw: () => boolean } | null = null

  /** By the store, which holds it from now on. */
  by(held: { readonly release: () => void; readonly withdraw: () => boolean }): void {
    this.#held = held
  }

  /** Somebody waits for it now. Idempotent. */
  release(): void {
    this.#held?.release()
  }

  /** Its result is `withdrawn` then. False where it is under way or done. */
  withdraw(): boolean {
    return this.#held?.withdraw() ?? false
  }
}
