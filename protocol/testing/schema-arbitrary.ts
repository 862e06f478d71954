/** Values of a schema, for property tests: every message is tested in every codec without anyone writing examples. */
import fc, { type Arbitrary } from 'fast-check'
import type { TSchema } from 'typebox'
import { Text } from '../websocket/fields.ts'

interface Keywords {
  readonly type?: string
  readonly const?: unknown
  readonly description?: string
  readonly anyOf?: readonly Keywords[]
  readonly properties?: Record<string, Keywords>
  readonly required?: readonly string[]
  readonly items?: Keywords | readonly Keywords[]
  readonly maxItems?: number
  readonly pattern?: string
  readonly format?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly exclusiveMinimum?: number
  readonly maximum?: number
}

/** Throws where a schema uses what this does not know, so that no part of it goes untested unnoticed. */
export function arbitraryOf(schema: TSchema): Arbitrary<unknown> {
  return ofKeywords(schema)
}

function ofKeywords(schema: Keywords): Arbitrary<unknown> {
  if (schema.anyOf !== undefined) return fc.oneof(...schema.anyOf.map(ofKeywords))
  if (schema.const !== undefined) return fc.constant(schema.const)
  switch (schema.type) {
    case 'null': return fc.constant(null)
    case 'boolean': return fc.boolean()
    case 'string': return ofString(schema)
    case 'integer': return fc.maxSafeInteger().map((value) => within(schema, value))
    case 'number': return ofNumber(schema)
    case 'array': return ofArray(schema)
    case 'object': {
      const required = schema.required ?? []
      const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => [name, ofKeywords(field)] as const)
      return fc.record(Object.fromEntries(fields), { requiredKeys: [...required] as never[], noNullPrototype: true })
    }
    case undefined:
      if (schema.description === 'Binary') return fc.uint8Array({ maxLength: 16 }).map((bytes) => bytes.slice(0, bytes.length - (bytes.length % 4)))
  }
  throw new Error(`no arbitrary for ${JSON.stringify(schema)}`)
}

function ofString(schema: Keywords): Arbitrary<string> {
  if (schema.pattern !== undefined) return fc.stringMatching(new RegExp(schema.pattern)).filter((text) => text.length <= (schema.maxLength ?? Infinity))
  if (schema.format === 'date-time') return fc.date({ min: new Date(0), max: new Date('2200-01-01'), noInvalidDate: true }).map((date) => date.toISOString())
  const minLength = schema.description === (Text as Keywords).description ? 1 : (schema.minLength ?? 0)
  const length = { minLength, ...(schema.maxLength === undefined ? {} : { maxLength: schema.maxLength }) }
  // Code points of all lengths in UTF-8, among much ASCII, as each takes another path through the codecs.
  return fc
    .oneof(fc.string({ ...length, unit: 'binary' }), fc.string({ ...length, unit: 'grapheme-ascii', size: 'medium' }))
    .map((text) => [...text.replaceAll('\0', 'o')].slice(0, schema.maxLength).join(''))
}

function ofNumber(schema: Keywords): Arbitrary<number> {
  const min = schema.exclusiveMinimum ?? schema.minimum
  const numbers = fc.double({
    noNaN: true,
    noDefaultInfinity: true,
    ...(min === undefined ? {} : { min, minExcluded: schema.exclusiveMinimum !== undefined }),
    ...(schema.maximum === undefined ? {} : { max: schema.maximum }),
  })
  // JSON has no negative zero that a reader could tell from zero.
  return numbers.map((value) => (value === 0 ? 0 : value))
}

/** Edges of the range, and of each width an integer is written in. */
function within(schema: Keywords, value: number): number {
  const minimum = schema.minimum ?? -Number.MAX_SAFE_INTEGER
  const maximum = schema.maximum ?? Number.MAX_SAFE_INTEGER
  const width = Math.abs(value) % 54
  const sized = Math.trunc(value / 2 ** width)
  return Math.min(maximum, Math.max(minimum, minimum >= 0 ? Math.abs(sized) : sized)) || 0
}

function ofArray(schema: Keywords): Arbitrary<unknown[]> {
  if (Array.isArray(schema.items)) return fc.tuple(...(schema.items as readonly Keywords[]).map(ofKeywords))
  return fc.array(ofKeywords(schema.items as Keywords), { maxLength: Math.min(schema.maxItems ?? 4, 4) })
}
