/**
 * Who was refused a moment ago and has nothing left: asking again for each command of somebody who goes on all the same
 * would cost what the limit is to protect.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { Payer } from './payers.ts'

/** No longer, as what was given back or allowed elsewhere is not heard of here. */
const rememberedMs = 2_000
const mostRemembered = 10_000

export class Refused {
  readonly #monotonic: () => number
  /** The oldest first. */
  readonly #refused = new Map<string, { readonly error: ChatError; readonly at: number }>()

  constructor(monotonic: () => number) {
    this.#monotonic = monotonic
  }

  remember(payers: readonly Payer[], error: ChatError): void {
    const key = keyOf(payers)
    this.#refused.delete(key)
    this.#refused.set(key, { error, at: this.#monotonic() })
    const [oldest] = this.#refused.keys()
    if (this.#refused.size > mostRemembered && oldest !== undefined) this.#refused.delete(oldest)
  }

  forget(payers: readonly Payer[]): void {
    this.#refused.delete(keyOf(payers))
  }

  /** With what is left of the wait; null where asking makes sense. */
  of(payers: readonly Payer[]): ChatError | null {
    const found = this.#refused.get(keyOf(payers))
    if (found === undefined) return null
    const passedMs = this.#monotonic() - found.at
    const waitMs = (found.error.retryAfterMs ?? 0) - passedMs
    if (passedMs < rememberedMs && waitMs > 0) return new ChatError(found.error.code, found.error.message, { retryAfterMs: waitMs })
    this.#refused.delete(keyOf(payers))
    return null
  }
}

function keyOf(payers: readonly Payer[]): string {
  return JSON.stringify(payers.map(({ key }) => key))
}
