import type { StoredDeadLetter } from '../platform/bus/dead-letters.ts'

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

/** A table, columns as wide as they need. */
export function lettersTable(letters: readonly StoredDeadLetter[], now: number): string {
  const rows = [
    ['POSITION', 'TURN', 'CONVERSATION', 'LANE', 'REASON', 'RUNS', 'LAST BRIDGE', 'AGE'],
    ...letters.map((letter) => [
      String(letter.position), letter.turnId, String(letter.conversationId), letter.lane, letter.reason, String(letter.run), letter.bridge ?? '-', age(now - letter.failedAt),
    ]),
  ]
  const widths = (rows[0] as readonly string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ').trimEnd() + '\n').join('')
}

/** One field a line. */
export function letterLines(letter: StoredDeadLetter, now: number): string {
  const fields = Object.entries({ ...letterFields(letter), age: age(now - letter.failedAt) })
  const width = Math.max(...fields.map(([name]) => name.length))
  return fields.map(([name, value]) => `${name.padEnd(width)}  ${value ?? '-'}\n`).join('')
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** In the largest whole unit. */
function age(ms: number): string {
  const [name, length] = units.find(([, unit]) => ms >= unit) ?? ['s', 1_000]
  return `${Math.max(0, Math.floor(ms / length))} ${name}`
}
