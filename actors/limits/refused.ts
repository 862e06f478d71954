/**
 * Who was refused a moment ago and has nothing left: asking again for each command of somebody who goes on all the same
 * would cost what the limit is to protect.
 */
import type { ChatError } from '../../protocol/errors.ts'
import { LimitError } from './limit-error.ts'
import type { Payer } from './payers.ts'

/** No longer, as what was given back or allowed elsewhere is not heard of here. */
const usedUpMs = 2_000
/** A turn may end at any moment, and makes room: only who was refused so often in a row, and asks on, waits for it. */
const insistent = 10
const insistentMs = 250
const mostRemembered = 10_000

interface Refusal {
  readonly error: ChatError
  readonly at: number
  readonly forMs: number
  readonly inARow: number
}

export class Refused {
  readonly #monotonic: () => number
  /** The oldest first. */
  readonly #refused = new Map<string, Refusal>()

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  /** A window has nothing left. */
  usedUp(payers: readonly Payer[], error: LimitError): LimitError {
    this.#remember(keyOf(payers), { error, at: this.#monotonic(), forMs: usedUpMs, inARow: 0 })
    return error
  }

  /** As many turns as may be are under way. */
  full(payers: readonly Payer[], error: ChatError): ChatError {
    const key = keyOf(payers)
    const inARow = (this.#refused.get(key)?.inARow ?? 0) + 1
    this.#remember(key, { error, at: this.#monotonic(), forMs: inARow >= insistent ? insistentMs : 0, inARow })
    return error
  }

  /** Something was allowed, or given back. */
  forget(payers: readonly Payer[]): void {
    this.#refused.delete(keyOf(payers))
  }

  /** With what is left of the wait; null where asking makes sense. */
  of(payers: readonly Payer[]): ChatError | null {
    const found = this.#refused.get(keyOf(payers))
    if (found === undefined) return null
    const passedMs = this.#monotonic() - found.at
    if (passedMs >= Math.min(found.forMs, found.error.retryAfterMs ?? 0)) return null
    return found.error instanceof LimitError ? found.error.after(passedMs) : found.error
  }

  #remember(key: string, refusal: Refusal): void {
    this.#refused.delete(key)
    this.#refused.set(key, refusal)
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > mostRemembered && oldest !== undefined) this.#refused.delete(oldest)
  }
}

function keyOf(payers: readonly Payer[]): string {
  return JSON.stringify(payers.map(({ key }) => key))
}
