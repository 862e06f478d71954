/**
 * DeadLetters: what became of the jobs of turns that were given up, for an operator to look at, to have tried again or
 * to discard. One letter a turn. A bounded memory: where it is full, and with time, the oldest letters are dropped.
 */
import type { Lane } from './job-queue.ts'

export interface DeadLetter {
  readonly turnId: string
  readonly conversationId: number
  readonly lane: Lane
  /** Code of the error that the turn failed with. */
  readonly reason: string
  /** How often the reply began anew, from 1. */
  readonly attempt: number
  /** How often a bridge was granted the turn. */
  readonly run: number
  /** Of the last run; null where there was none. */
  readonly bridge: string | null
  /** Milliseconds since the epoch. */
  readonly failedAt: number
}

export interface StoredDeadLetter extends DeadLetter {
  /** Rises from 1 in the order of their addition. */
  readonly position: number
}

export interface DeadLetterPage {
  /** The oldest first. */
  readonly letters: readonly StoredDeadLetter[]
  /** Newer ones exist. */
  readonly hasMore: boolean
}

export interface DeadLetterLimits {
  readonly capacity: number
  readonly maxAgeMs: number
}

export const defaultDeadLetterLimits: DeadLetterLimits = { capacity: 10_000, maxAgeMs: 30 * 24 * 3_600_000 }

/** Everything rejects with BusError `disconnected`, `timeout` or `closed`. */
export interface DeadLetters {
  /** Resolves once the letter is stored. In the place of the turn's earlier letter, where there is one. */
  add(letter: DeadLetter): Promise<void>
  /** From the letter after the position `after` on. */
  list(page: { readonly after?: number; readonly limit: number }): Promise<DeadLetterPage>
  get(turnId: string): Promise<StoredDeadLetter | null>
  /** Resolves with false where there was none. */
  discard(turnId: string): Promise<boolean>
  /** Idempotent. */
  close(): Promise<void>
}
