/** Schemas as Markdown tables. */
import type { TSchema } from 'typebox'
import { ConversationSummary } from '../websocket/commands/conversation-list.ts'
import { Cursor, TurnSnapshot } from '../websocket/commands/conversation-open.ts'
import { ConnectionLimits } from '../websocket/commands/hello.ts'
import { Load, Message, Params, Timing, TurnError, Usage } from '../websocket/fields.ts'
import { descriptionOf, type SchemaKeywords } from './schema-keywords.ts'

/** Objects that several messages share, or that deserve a table of their own. */
export const namedObjects: Record<string, TSchema> = { Message, TurnSnapshot, Cursor, Params, ConversationSummary, ConnectionLimits, Load, Usage, Timing, TurnError }

const nameBySchema = new Map(Object.entries(namedObjects).map(([name, schema]) => [identityOf(schema), name]))

/** The name under which an object is described, if it has one. */
export function nameOf(schema: unknown): string | undefined {
  return nameBySchema.get(identityOf(schema))
}

/** A schema used as a field may be a copy of the one that was named, but says the same. */
function identityOf(schema: unknown): string {
  const { type, required, properties } = schema as SchemaKeywords
  return JSON.stringify({ type, required, properties })
}

export function fieldTable(schema: TSchema, leaveOut: readonly string[] = []): string {
  const { properties = {}, required = [] } = schema as SchemaKeywords
  const rows = Object.entries(properties)
    .filter(([name]) => !leaveOut.includes(name))
    .map(([name, field]) => `| \`${name}\` | ${typeText(field)} | ${required.includes(name) ? 'yes' : 'no'} | ${descriptionOf(field)} |`)
  if (rows.length === 0) return 'No fields of its own.'
  return ['| field | type | always | meaning |', '|---|---|---|---|', ...rows].join('\n')
}

export function typeText(schema: SchemaKeywords): string {
  const name = nameOf(schema)
  if (name !== undefined) return `[${name}](#${name.toLowerCase()})`
  if (schema.anyOf !== undefined) return schema.anyOf.map(typeText).join(' or ')
  if (schema.const !== undefined) return `\`${schema.const}\``
  switch (schema.type) {
    case 'string': return stringText(schema)
    case 'integer': return `integer${rangeText(schema)}`
    case 'number': return `number${rangeText(schema)}`
    case 'array': return `array of ${typeText(schema.items ?? {})}${schema.maxItems === undefined ? '' : `, at most ${schema.maxItems}`}`
    default: return schema.type ?? 'anything'
  }
}

function stringText({ pattern, format, minLength, maxLength }: SchemaKeywords): string {
  if (pattern !== undefined) return 'string, a UUIDv7'
  if (format === 'date-time') return 'string, a time'
  if (maxLength === undefined) return 'string'
  return `string of ${minLength ?? 0} to ${maxLength} characters`
}

function rangeText({ minimum, exclusiveMinimum, maximum }: SchemaKeywords): string {
  const most = maximum === undefined || maximum === Number.MAX_SAFE_INTEGER ? '' : ` to ${maximum}`
  if (exclusiveMinimum !== undefined) return ` above ${exclusiveMinimum}${most}`
  if (minimum === undefined) return ''
  return most === '' ? ` from ${minimum}` : ` ${minimum}${most}`
}
