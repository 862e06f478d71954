/**
 * Tells of messages of the bus that were refused. A sender of another release, or one gone mad, sends thousands a second:
 * a line tells of the first, and one a minute, for each sender and fault, of how many came since.
 */
import { BusMessageError } from '../../protocol/bus/codec.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { Logger } from '../logging/logger.ts'

const everyMs = 60_000
/** Senders and faults told apart; beyond, they share a line. */
const mostKinds = 200

export interface Refusal {
  readonly subject: string
  /** Of fault. */
  readonly kind: string
  /** As the message names it; null where it does not. */
  readonly sender: string | null
  /** For people; never text of messages. */
  readonly reason: string
}

interface Told {
  /** When a line told of it last. */
  at: number
  /** Refused since, without a line. */
  since: number
}

export class Refusals {
  readonly #logger: Logger
  readonly #monotonic: () => number
  readonly #told = new Map<string, Told>()

  /** `monotonic` in milliseconds. */
  constructor(options: { readonly logger: Logger; readonly monotonic: () => number }) {
    this.#logger = options.logger
    this.#monotonic = options.monotonic
  }

  /** A message that could not be read, or whose handler failed. */
  failed(subject: string, error: unknown): void {
    if (error instanceof BusMessageError) this.refused({ subject, kind: error.kind, sender: error.sender, reason: error.message })
    else if (error instanceof ChatError) this.refused({ subject, kind: error.code, sender: null, reason: error.message })
    else this.#tell({ subject, kind: error instanceof Error ? error.name : typeof error, sender: null, reason: 'its handler failed' }, { err: error })
  }

  refused(refusal: Refusal): void {
    this.#tell(refusal, {})
  }

  #tell(refusal: Refusal, more: Readonly<Record<string, unknown>>): void {
    const now = this.#monotonic()
    const key = this.#keyOf(refusal, now)
    const told = this.#told.get(key)
    if (told !== undefined && now - told.at < everyMs) {
      told.since += 1
      return
    }
    this.#told.set(key, { at: now, since: 0 })
    const since = told === undefined || told.since === 0 ? {} : { refusedSince: told.since }
    this.#logger.warn({ ...refusal, ...since, ...more }, refusal.kind === 'newer_version' ? 'a message of a later release was refused: this process has to be upgraded' : 'a bus message was refused')
  }

  #keyOf({ subject, kind, sender }: Refusal, now: number): string {
    const key = `${subject} ${kind} ${sender ?? ''}`
    if (this.#told.size < mostKinds || this.#told.has(key)) return key
    for (const [old, { at }] of this.#told) if (now - at >= everyMs) this.#told.delete(old)
    return this.#told.size < mostKinds ? key : 'others'
  }
}
