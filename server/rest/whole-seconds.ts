/** A time, in milliseconds since the epoch or as ISO 8601, as the specification writes it: `2025-03-11T12:00:00Z`. */
export function wholeSeconds(time: number | string): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`
}
