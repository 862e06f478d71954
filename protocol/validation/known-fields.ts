import type { TSchema } from 'typebox'

interface Shape {
  readonly type?: string
  readonly properties?: Record<string, TSchema>
  readonly items?: TSchema
  readonly anyOf?: readonly TSchema[]
  readonly additionalProperties?: unknown
}

export type Kept = { readonly ok: true; readonly value: unknown } | { readonly ok: false; readonly pointer: string }

/**
 * A copy of a value that has passed `schema`, with the fields that the schema names and no others: what is unknown is
 * ignored here once, so that no later reader can trip over it (an own `__proto__`, depth, size). Every string in it has
 * passed `isAllowed`; else the pointer of the first that has not. What the schema says may have any properties is kept as it
 * is, unchecked: it is to be read as JSON of others, whole.
 */
export function keepKnown(schema: TSchema, value: unknown, isAllowed: (text: string) => boolean, pointer = ''): Kept {
  if (typeof value === 'string') return isAllowed(value) ? { ok: true, value } : { ok: false, pointer }
  if (typeof value !== 'object' || value === null) return { ok: true, value }
  const shape = objectShape(schema)
  if (shape.additionalProperties === true) return { ok: true, value }
  if (Array.isArray(value)) {
    const items: unknown[] = []
    for (const [index, item] of value.entries()) {
      const kept = keepKnown(shape.items ?? {}, item, isAllowed, `${pointer}/${index}`)
      if (!kept.ok) return kept
      items.push(kept.value)
    }
    return { ok: true, value: items }
  }
  const fields: Record<string, unknown> = {}
  for (const [name, property] of Object.entries(shape.properties ?? {})) {
    const field = (value as Record<string, unknown>)[name]
    if (field === undefined) continue
    const kept = keepKnown(property, field, isAllowed, `${pointer}/${name}`)
    if (!kept.ok) return kept
    fields[name] = kept.value
  }
  return { ok: true, value: fields }
}

/** Of a union the branch with fields or items: no command has two of those in one place. */
function objectShape(schema: Shape): Shape {
  return objectBranch(schema) ?? schema
}

function objectBranch(schema: Shape): Shape | undefined {
  if (schema.properties !== undefined || schema.items !== undefined || schema.additionalProperties === true) return schema
  for (const branch of (schema.anyOf ?? []) as readonly Shape[]) {
    const found = objectBranch(branch)
    if (found !== undefined) return found
  }
  return undefined
}
