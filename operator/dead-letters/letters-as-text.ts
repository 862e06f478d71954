import type { StoredDeadLetter } from '../../platform/bus/dead-letters.ts'
import { age, fieldLines, table } from '../text-tables.ts'

/** The fields of a letter, by the names that they bear on the bus. */
export function letterFields(letter: StoredDeadLetter): Readonly<Record<string, string | number | null>> {
  return {
    position: letter.position,
    turn_id: letter.turnId,
    conversation_id: letter.conversationId,
    lane: letter.lane,
    reason: letter.reason,
    attempt: letter.attempt,
    run: letter.run,
    bridge: letter.bridge,
    failed_at: new Date(letter.failedAt).toISOString(),
  }
}

export function lettersTable(letters: readonly StoredDeadLetter[], now: number): string {
  return table([
    ['POSITION', 'TURN', 'CONVERSATION', 'LANE', 'REASON', 'RUNS', 'LAST BRIDGE', 'AGE'],
    ...letters.map((letter) => [
      String(letter.position), letter.turnId, String(letter.conversationId), letter.lane, letter.reason, String(letter.run), letter.bridge ?? '-', age(now - letter.failedAt),
    ]),
  ])
}

export function letterLines(letter: StoredDeadLetter, now: number): string {
  return fieldLines({ ...letterFields(letter), age: age(now - letter.failedAt) })
}
