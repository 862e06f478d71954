/** The header `Prefer` (RFC 7240), as far as it is understood here. */
export interface Preferences {
  readonly respondAsync: boolean
  /** Seconds that the client will wait for an answer. */
  readonly wait: number | null
}

/** What is unknown, malformed or given again is ignored, as the RFC has it. */
export function parsePrefer(header = ''): Preferences {
  let respondAsync = false
  let wait: number | null = null
  for (const preference of header.split(',')) {
    const [, name = '', value] = /^\s*([!#$%&'*+.^_`|~\w-]+)\s*(?:=\s*"?(\d{1,6})"?\s*)?(?:;.*)?$/.exec(preference) ?? []
    if (name.toLowerCase() === 'respond-async') respondAsync = true
    if (name.toLowerCase() === 'wait' && value !== undefined) wait ??= Number(value)
  }
  return { respondAsync, wait }
}
