import { createHash } from 'node:crypto'

/** SHA-256 over the schemas with their keys in order and their descriptions left out. */
export function schemaHash(schemas: unknown): string {
  return createHash('sha256').update(JSON.stringify(canonical(schemas))).digest('hex')
}

function canonical(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(canonical)
  if (typeof value !== 'object' || value === null) return value
  const entries = Object.entries(value).filter(([name, item]) => !(name === 'description' && typeof item === 'string'))
  return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([name, item]) => [name, canonical(item)]))
}
