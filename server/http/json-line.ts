/** JSON that every reader takes for one line: some of them (Python's `splitlines`, and so httpx) break lines at these too. */
const otherBreaks = /[\u0085\u2028\u2029]/g

export function jsonLine(value: unknown): string {
  return JSON.stringify(value).replace(otherBreaks, (each) => `\\u${each.charCodeAt(0).toString(16).padStart(4, '0')}`)
}
