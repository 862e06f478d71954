const key = 'chatterbot.key'

/**
 * The API key or token that the reader gave. It is kept for the tab, so that a reload goes on, and never in the address.
 * Where the browser keeps nothing, nobody can sign in.
 */
export class KeptKey {
  readonly #storage: () => Storage

  constructor(storage: () => Storage) {
    this.#storage = storage
  }

  get(): string | null {
    try {
      return this.#storage().getItem(key)
    } catch {
      return null
    }
  }

  /** False where the browser keeps nothing. */
  keep(value: string): boolean {
    try {
      this.#storage().setItem(key, value)
      return true
    } catch {
      return false
    }
  }

  forget(): void {
    try {
      this.#storage().removeItem(key)
    } catch {
      // Nothing is kept.
    }
  }
}
