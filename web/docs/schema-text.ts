/** Schemas as people read them. */
import { descriptionOf, type SchemaKeywords } from '../../protocol/docs/schema-keywords.ts'

export interface FieldRow {
  readonly name: string
  /** How many objects it is inside of. */
  readonly depth: number
  readonly type: string
  readonly required: boolean
  readonly description: string
}

const maxDepth = 4

/** The fields of an object, each followed by those within it. */
export function fieldRows(schema: SchemaKeywords, depth = 0): readonly FieldRow[] {
  if (depth > maxDepth) return []
  return branchesOf(schema).flatMap(({ properties = {}, required = [] }) =>
    Object.entries(properties).flatMap(([name, field]) => [
      { name, depth, type: typeText(field), required: required.includes(name), description: descriptionOf(field) },
      ...fieldRows(within(field), depth + 1),
    ]),
  )
}

/** What an array's fields are, or the schema itself. */
function within(schema: SchemaKeywords): SchemaKeywords {
  return branchesOf(schema).find(({ items }) => items !== undefined)?.items ?? schema
}

function branchesOf(schema: SchemaKeywords): readonly SchemaKeywords[] {
  return schema.anyOf?.flatMap(branchesOf) ?? [schema]
}

export function typeText(schema: SchemaKeywords): string {
  if (schema.anyOf !== undefined) return [...new Set(schema.anyOf.map(typeText))].join(' or ')
  if (schema.const !== undefined) return JSON.stringify(schema.const)
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(' or ')
  switch (schema.type) {
    case 'string':
      return stringText(schema)
    case 'integer':
    case 'number':
      return `${schema.type}${rangeText(schema)}`
    case 'array':
      return `array of ${typeText(schema.items ?? {})}${schema.maxItems === undefined ? '' : `, at most ${schema.maxItems.toLocaleString('en')}`}`
    default:
      return schema.type ?? 'any'
  }
}

function stringText({ format, minLength, maxLength }: SchemaKeywords): string {
  if (format === 'date-time') return 'time, ISO 8601'
  if (maxLength === undefined) return 'string'
  return `string, ${minLength ?? 0} to ${maxLength.toLocaleString('en')} characters`
}

function rangeText({ minimum, exclusiveMinimum, maximum }: SchemaKeywords): string {
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : `${maximum.toLocaleString('en')}`
  if (exclusiveMinimum !== undefined) return `, above ${exclusiveMinimum}${most === '' ? '' : `, at most ${most}`}`
  if (minimum === undefined) return most === '' ? '' : `, at most ${most}`
  return most === '' ? `, from ${minimum}` : `, ${minimum} to ${most}`
}
