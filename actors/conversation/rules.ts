import { limits } from '../../protocol/websocket/limits.ts'

/** Figures of a conversation's rules; see docs/architecture.md. */
export const rules = {
  /** A run not heard of for this long may be granted anew, and a bridge that asks before is told to come again. */
  runSilenceMs: 3_000,
  busyRetryMs: 1_000,
  resumingRetryMs: 200,
  /** Grants in a row without new text, after which the turn fails. */
  barrenGrants: 5,
  waitingTurns: 4,
  /** Token ids of one reply: twice what may be asked for, as some stand for no text. */
  replyTokens: 262_144,
} as const

/** Whether a text that ends at this offset, of so many tokens, cannot be a reply: no UTF-16 length is above that in UTF-8. */
export function exceedsReply(end: number, tokens: number): boolean {
  return end > limits.textBytes || tokens > rules.replyTokens
}
