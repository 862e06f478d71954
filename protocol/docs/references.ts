/** Schemas as plain JSON, with references to those that have a name. */
import type { TSchema } from 'typebox'
import { nameOf, namedObjects } from './field-tables.ts'

/** Each object within that has a name becomes a reference to it. */
export function withReferences(value: unknown): unknown {
  const name = typeof value === 'object' && value !== null ? nameOf(value) : undefined
  return name === undefined ? withReferencesWithin(value) : { $ref: `#/components/schemas/${name}` }
}

/** The named ones themselves, for `components/schemas`. */
export function namedSchemas(objects: Readonly<Record<string, TSchema>> = namedObjects): Record<string, unknown> {
  return Object.fromEntries(Object.entries(objects).map(([name, schema]) => [name, withReferencesWithin(schema)]))
}

/** The same for a schema that is to stand as it is, though it may have a name. */
export function withReferencesWithin(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withReferences)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, withReferences(item)]))
}
