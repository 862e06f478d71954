/** Quantities on command lines. Each throws RangeError, in words for people. */
const units = { s: 1, m: 60, h: 3_600 } as const

export function readWhole(name: string, text: string, least: number, most: number): number {
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most) throw new RangeError(`--${name}: ${JSON.stringify(text)} is not a whole number from ${least} to ${most}.`)
  return value
}

/** Seconds. */
export function readTime(name: string, text: string): number {
  const [, count, unit] = /^(\d{1,6})([smh])$/.exec(text) ?? []
  if (count === undefined) throw new RangeError(`--${name}: ${JSON.stringify(text)} is not a time such as 90s, 10m or 2h.`)
  return Number(count) * units[unit as keyof typeof units]
}
