import type { DeadLetter } from '../../../platform/bus/dead-letters.ts'
import type { Statement } from '../statement.ts'

export interface UnsentDeadLetter {
  readonly [column: string]: unknown
  readonly turn_id: string
  readonly conversation_id: number
  readonly failed_at: Date
  readonly attempt: number
  readonly run: number
  readonly lane: DeadLetter['lane']
  readonly reason: string
  readonly bridge: string | null
}

/** The oldest first. Parameters: milliseconds since the epoch that they are older than, limit. */
export const unsentDeadLetters: Statement = {
  name: 'unsent_dead_letters',
  text: `
    SELECT turn_id, conversation_id, failed_at, attempt, run, lane, reason, bridge
    FROM unsent_dead_letters
    WHERE failed_at < to_timestamp($1::bigint / 1000.0)
    ORDER BY failed_at, turn_id
    LIMIT $2`,
}

/** Parameter: turn id. */
export const deadLetterSent: Statement = {
  name: 'dead_letter_sent',
  text: 'DELETE FROM unsent_dead_letters WHERE turn_id = $1',
}

export function deadLetterFrom(row: UnsentDeadLetter): DeadLetter {
  return {
    turnId: row.turn_id,
    conversationId: row.conversation_id,
    lane: row.lane,
    reason: row.reason,
    attempt: row.attempt,
    run: row.run,
    bridge: row.bridge,
    failedAt: row.failed_at.getTime(),
  }
}
