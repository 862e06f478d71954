/** JSON text from outside, as bytes: well-formed UTF-8, no deeper than `depth`. */
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Throws SyntaxError, TypeError or RangeError. */
export function parseJson(bytes: Uint8Array, depth: number): unknown {
  const value: unknown = JSON.parse(utf8.decode(bytes))
  // JSON.parse does not recurse; those who read its value do.
  if (isDeeperThan(value, depth)) throw new RangeError('nested too deeply')
  return value
}

function isDeeperThan(value: unknown, depth: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (depth === 0) return true
  for (const item of Object.values(value)) if (isDeeperThan(item, depth - 1)) return true
  return false
}
