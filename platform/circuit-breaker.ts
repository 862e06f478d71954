/**
 * Keeps requests away from a server that fails. closed (all may go) → open after `failures` in a row (none may) →
 * half-open after a while (one may go, to try) → closed by its success, or open again for twice as long by its failure.
 */
export interface BreakerSettings {
  readonly failures: number
  readonly openMs: number
  readonly maxOpenMs: number
}

export type BreakerState = 'closed' | 'open' | 'half_open'

export class CircuitBreaker {
  readonly #settings: BreakerSettings
  readonly #monotonic: () => number
  #failuresInARow = 0
  #openMs: number
  #openUntil: number | null = null
  #trying = false

  constructor(settings: BreakerSettings, monotonic: () => number) {
    this.#settings = settings
    this.#monotonic = monotonic
    this.#openMs = settings.openMs
  }

  get state(): BreakerState {
    if (this.#openUntil === null) return 'closed'
    return this.#monotonic() < this.#openUntil ? 'open' : 'half_open'
  }

  /** Whether a request may go now. */
  get allows(): boolean {
    const { state } = this
    return state === 'closed' || (state === 'half_open' && !this.#trying)
  }

  /** A request goes; true if it is the one that tries. Must be followed by one of `succeeded`, `failed` and `left`. */
  began(): boolean {
    if (this.state !== 'half_open' || this.#trying) return false
    this.#trying = true
    return true
  }

  succeeded(): void {
    this.#trying = false
    this.#failuresInARow = 0
    this.#openUntil = null
    this.#openMs = this.#settings.openMs
  }

  failed(tried: boolean): void {
    if (tried) this.#trying = false
    this.#failuresInARow += 1
    if (tried) this.#openMs = Math.min(this.#openMs * 2, this.#settings.maxOpenMs)
    // Requests that began before it opened say nothing new.
    if (tried || (this.#openUntil === null && this.#failuresInARow >= this.#settings.failures)) this.#openUntil = this.#monotonic() + this.#openMs
  }

  /** The request ended by the caller's will, which says nothing of the server. */
  left(tried: boolean): void {
    if (tried) this.#trying = false
  }
}
