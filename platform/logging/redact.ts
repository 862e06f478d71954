/**
 * What of a log line's fields may be written. Secrets and the text of messages are recognised by the name of their
 * field, at any depth, and credentials by their form within any string. What is written is bounded, so that a line is.
 */

/** Names in lower case, without `-` and `_`. A number or boolean under such a name is a count, and stays. */
const withheldNames = new Set(['authorization', 'proxyauthorization', 'cookie', 'setcookie', 'connectionstring', 'text', 'content', 'messages', 'prompt', 'system', 'systemprompt', 'title'])
const withheldEndings = ['password', 'passwd', 'secret', 'token', 'apikey']
const withheld = '[withheld]'

const deepest = 5
const mostEntries = 50
const longestString = 8 * 1024
const deepestCause = 4

export function redactFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return redactObject(fields, 0)
}

/** Takes credentials out of URLs and headers, and the end of what is too long. */
export function redactString(text: string): string {
  const bounded = text.length > longestString ? `${text.slice(0, longestString)}… (${text.length} characters)` : text
  return bounded
    .replace(/(:\/\/)[^\s/]*@/g, '$1***@')
    .replace(/\b(bearer|basic) +[A-Za-z0-9._~+/=-]{8,}/gi, '$1 ***')
    .replace(/([?&](?:access_|refresh_)?(?:token|password|secret|api_?key)=)[^&\s"']+/gi, '$1***')
}

function redactObject(object: object, depth: number): Record<string, unknown> {
  const result: Record<string, unknown> = {}
  let entries = 0
  for (const [name, value] of Object.entries(object)) {
    if (value === undefined || typeof value === 'function' || typeof value === 'symbol') continue
    entries += 1
    if (entries > mostEntries) {
      result['…'] = 'more'
      break
    }
    result[name] = isWithheld(name, value) ? withheld : redactValue(value, depth + 1)
  }
  return result
}

function isWithheld(name: string, value: unknown): boolean {
  if (value === null || (typeof value !== 'string' && typeof value !== 'object')) return false
  const plain = name.toLowerCase().replaceAll(/[-_]/g, '')
  return withheldNames.has(plain) || withheldEndings.some((ending) => plain.endsWith(ending))
}

function redactValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return redactString(value)
  if (typeof value === 'bigint') return String(value)
  if (typeof value !== 'object' || value === null) return value
  if (value instanceof Error) return describeError(value, 0)
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? null : value.toISOString()
  if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`
  if (value instanceof URL) return redactString(value.href)
  if (value instanceof Map || value instanceof Set) return `${value.size} entries`
  if (depth >= deepest) return '…'
  if (!Array.isArray(value)) return redactObject(value, depth)
  const shown = value.slice(0, mostEntries).map((entry) => redactValue(entry, depth + 1))
  return value.length > mostEntries ? [...shown, `… (${value.length} entries)`] : shown
}

/** Other fields of an error are left out: drivers put parameters and rows there. */
function describeError(error: Error, depth: number): Record<string, unknown> {
  const { code } = error as { readonly code?: unknown }
  const within = (other: unknown): unknown => (other instanceof Error ? (depth < deepestCause ? describeError(other, depth + 1) : '…') : redactValue(other, deepest))
  return {
    type: error.name,
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    message: redactString(error.message),
    ...(error.stack === undefined ? {} : { stack: redactString(error.stack) }),
    ...(error.cause === undefined ? {} : { cause: within(error.cause) }),
    ...(error instanceof AggregateError ? { errors: error.errors.slice(0, deepestCause).map(within) } : {}),
  }
}
