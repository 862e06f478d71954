/** Figures of a conversation's rules; see docs/architecture.md. */
export const rules = {
  /** A run not heard of for this long may be granted anew, and a bridge that asks before is told to come again. */
  runSilenceMs: 3_000,
  busyRetryMs: 1_000,
  resumingRetryMs: 200,
  /** Grants in a row without new text, after which the turn fails. */
  barrenGrants: 5,
  waitingTurns: 4,
} as const
