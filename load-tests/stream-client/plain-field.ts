/**
 * A string of a JSON text, read without parsing the rest: a client that parsed every frame would cost more than some of the
 * servers. Null where the field is not there so plainly: other spacing, escapes, another type.
 */
export function plainField(json: string, name: string): string | null {
  const begins = `"${name}":"`
  const at = json.indexOf(begins)
  if (at < 0) return null
  const from = at + begins.length
  const text = json.slice(from, json.indexOf('"', from))
  return text.includes('\\') ? null : text
}
