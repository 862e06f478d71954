/** What commands print for people. */

/** Rows as lines, columns as wide as they need; the first row is the head. */
export function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] as readonly string[]).map((_, column) => Math.max(...rows.map((row) => (row[column] as string).length)))
  return rows.map((row) => row.map((cell, column) => cell.padEnd(widths[column] as number)).join('  ').trimEnd() + '\n').join('')
}

/** One field a line. */
export function fieldLines(fields: Readonly<Record<string, string | number | null>>): string {
  const width = Math.max(...Object.keys(fields).map((name) => name.length))
  return Object.entries(fields).map(([name, value]) => `${name.padEnd(width)}  ${value ?? '-'}\n`).join('')
}

const units = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
] as const

/** In the largest whole unit. */
export function age(ms: number): string {
  const [name, length] = units.find(([, unit]) => ms >= unit) ?? ['s', 1_000]
  return `${Math.max(0, Math.floor(ms / length))} ${name}`
}

/** Milliseconds that a text such as `90d`, `24h`, `30min` or `0s` stands for; null where it is none. */
export function durationOf(text: string): number | null {
  const [, amount, unit] = /^(\d{1,6})(d|h|min|s)$/.exec(text) ?? []
  const length = units.find(([name]) => name === unit)?.[1]
  return length === undefined ? null : Number(amount) * length
}
