/** Requests and commands made from the tables of operations and commands, so that one that is added is walked too. */
import type { Operation } from '../../protocol/rest/operation.ts'
import { commands, type CommandType } from '../../protocol/websocket/messages.ts'

/** Ids by the names of fields and parameters. Whatever is called so is filled with it. */
export interface Ids {
  readonly conversation_id: number
  readonly message_id: number
  readonly parent_id: number
  /** Of a message or a conversation. */
  readonly before: number
  readonly turn_id: string
  readonly correlation_id: string
}

/** Parameters of paths that name nobody's property. */
const sharedParameters = new Set(['model'])

/** What a request must say besides, for its ids to be looked at. */
const given: Readonly<Record<string, unknown>> = { store: true }

interface Schema {
  readonly type?: string
  readonly const?: unknown
  readonly anyOf?: readonly Schema[]
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[] | undefined
  readonly minimum?: number
}

export interface WalkedRequest {
  readonly method: string
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body?: string
}

/** The operation's example, with these ids in it, and for this user. Throws for a parameter of which nobody knows whether it is an id. */
export function requestFor(operation: Operation, ids: Ids, userId: string): WalkedRequest {
  const { method, path, params, query, body, example = {} } = operation
  for (const name of Object.keys(params?.properties ?? {})) {
    if (!(name in ids) && !sharedParameters.has(name)) throw new Error(`${path}: say in walked-requests.ts whether ${name} is an id`)
  }
  const inPath = filled(params, example.params, ids, userId)
  const inQuery = new URLSearchParams(Object.entries(filled(query, example.query, ids, userId)).map(([name, value]) => [name, String(value)])).toString()
  return {
    method: method.toUpperCase(),
    path: path.replaceAll(/\{(\w+)\}/g, (_, name: string) => String(inPath[name])) + (inQuery === '' ? '' : `?${inQuery}`),
    headers: body === undefined ? {} : { 'Content-Type': 'application/json' },
    ...(body === undefined ? {} : { body: JSON.stringify(filled(body, example.body, ids, userId)) }),
  }
}

/** The fields that a command must have, and all that are ids. */
export function commandFor(type: CommandType, ids: Ids): object {
  return { ...filled(commands[type].command, required(commands[type].command), ids, ''), type }
}

function filled(schema: Schema | undefined, example: unknown, ids: Ids, userId: string): Record<string, unknown> {
  const values = { ...(example as Record<string, unknown> | undefined) }
  for (const [name, property] of Object.entries(schema?.properties ?? {})) {
    if (name === 'user_id') values[name] = userId
    else if (name in ids) values[name] = property.type === 'string' ? String(ids[name as keyof Ids]) : ids[name as keyof Ids]
    else if (name in given) values[name] = given[name]
    else if (property.properties !== undefined) {
      const inner = filled(property, values[name], ids, userId)
      if (Object.keys(inner).length > 0) values[name] = inner
    }
  }
  return values
}

function required(schema: Schema): Record<string, unknown> {
  return Object.fromEntries((schema.required ?? []).map((name) => [name, valueOf(schema.properties?.[name] ?? {})]))
}

function valueOf(schema: Schema): unknown {
  if (schema.anyOf !== undefined) return valueOf(schema.anyOf[0] ?? {})
  if (schema.const !== undefined) return schema.const
  if (schema.type === 'integer' || schema.type === 'number') return schema.minimum ?? 1
  if (schema.type === 'object') return required(schema)
  return schema.type === 'boolean' ? true : 'x'
}
