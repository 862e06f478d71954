/** The one place where a request's bytes become the parts of an operation: each has passed its schema, or is an error of the catalogue. */
import type { TObject, TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { ChatError } from '../errors.ts'
import { maxDepth } from '../msgpack/limits.ts'
import { checkText, isWellFormed } from '../text.ts'
import { parseJson } from '../validation/json.ts'
import { keepKnown } from '../validation/known-fields.ts'
import { firstFault } from '../validation/validation-fault.ts'
import type { DecodedParts, Operation } from './operation.ts'

export interface RawRequest {
  /** Segments of the path by parameter, still percent-encoded. */
  readonly params: Readonly<Record<string, string>>
  /** After the `?`; empty where there is none. */
  readonly query: string
  /** Undefined where there is none; `name` in lower case. */
  header(name: string): string | undefined
  readonly body: Uint8Array | null
}

/** Where the fault is: a JSON pointer into the body, or the name of a parameter. */
export type FieldFault =
  | { readonly in: 'body'; readonly pointer: string; readonly detail: string }
  | { readonly in: 'path' | 'query' | 'header'; readonly name: string; readonly detail: string }

/** An error of the request itself; `fault` names the field. */
export class RequestFault extends ChatError {
  readonly fault: FieldFault | null

  constructor(code: ConstructorParameters<typeof ChatError>[0], message: string | undefined, fault: FieldFault | null) {
    super(code, message)
    this.fault = fault
  }
}

/** Throws RequestFault. */
export type Decoder<O extends Operation> = (request: RawRequest) => DecodedParts<O>

export function createDecoder<O extends Operation>(operation: O): Decoder<O> {
  const path = textPart(operation.params, 'path')
  const query = textPart(operation.query, 'query')
  const headers = textPart(operation.headers, 'header')
  const body = operation.body === undefined ? null : bodyPart(operation.body, operation.texts ?? [], operation.bodyDepth ?? maxDepth)
  return (request) => {
    const parts = {
      params: path((name) => percentDecoded(request.params[name], 'path', name)),
      query: query(queryLookup(request.query)),
      headers: headers((name) => request.header(name)),
      body: body === null ? {} : body(request),
    }
    return parts as DecodedParts<O>
  }
}

/** Unknown names are ignored; a known one that comes twice is a fault, as nobody knows which is meant. */
function queryLookup(query: string): (name: string) => string | undefined {
  if (query === '') return () => undefined
  const pairs = query.split('&').map((pair) => {
    const at = pair.indexOf('=')
    return at < 0 ? ([pair, ''] as const) : ([pair.slice(0, at), pair.slice(at + 1)] as const)
  })
  return (name) => {
    const found = pairs.filter(([each]) => each === name)
    if (found.length > 1) throw fieldFault('query', name, 'is given more than once')
    return percentDecoded(found[0]?.[1].replaceAll('+', ' '), 'query', name)
  }
}

function percentDecoded(text: string | undefined, where: 'path' | 'query', name: string): string | undefined {
  try {
    return text === undefined ? undefined : decodeURIComponent(text)
  } catch {
    throw fieldFault(where, name, 'is not well-formed percent-encoded UTF-8')
  }
}

function textPart(schema: TObject | undefined, where: 'path' | 'query' | 'header'): (lookup: (name: string) => string | undefined) => unknown {
  if (schema === undefined) return () => ({})
  const validator = Compile(schema)
  const properties = Object.entries(schema.properties as Record<string, TSchema>)
  return (lookup) => {
    const values: Record<string, unknown> = {}
    for (const [name, property] of properties) {
      const text = lookup(name)
      if (text === undefined) continue
      // Servers and clients disagree on the encoding of any other, and the library cuts such bytes off at the ends.
      if (where === 'header' && !isAscii(text)) throw fieldFault(where, name, 'is not ASCII')
      if (!isWellFormed(text)) throw fieldFault(where, name, 'is not well-formed text')
      values[name] = coerced(text, property)
    }
    if (validator.Check(values)) return values
    const name = firstFault(validator.Errors(values)).slice(1).split('/')[0] ?? ''
    throw fieldFault(where, name, 'is missing, of the wrong type or out of range')
  }
}

function isAscii(text: string): boolean {
  return /^[\x20-\x7e]*$/.test(text)
}

/** Text as the schema's type; what does not fit stays text, and fails the schema. */
function coerced(text: string, schema: { readonly type?: string }): unknown {
  if (schema.type === 'integer' && /^-?(0|[1-9]\d{0,15})$/.test(text)) return Number(text)
  if (schema.type === 'number' && /^-?\d{1,15}(\.\d{1,15})?$/.test(text)) return Number(text)
  if (schema.type === 'boolean' && (text === 'true' || text === 'false')) return text === 'true'
  return text
}

function bodyPart(schema: TSchema, texts: readonly string[], depth: number): (request: RawRequest) => unknown {
  const validator = Compile(schema)
  return (request) => {
    const type = request.header('content-type') ?? ''
    if (!/^application\/json\s*(;\s*charset\s*=\s*"?utf-8"?\s*)?$/i.test(type)) throw new RequestFault('unsupported_media_type', undefined, null)
    let value: unknown
    try {
      value = parseJson(request.body ?? new Uint8Array(0), depth)
    } catch {
      throw new RequestFault('bad_body', undefined, null)
    }
    if (!validator.Check(value)) throw bodyFault(validator, value)
    for (const name of texts) {
      const text = (value as Record<string, unknown>)[name]
      const code = typeof text === 'string' ? checkText(text) : null
      if (code !== null) throw new RequestFault(code, undefined, { in: 'body', pointer: `/${name}`, detail: new ChatError(code).message })
    }
    const kept = keepKnown(schema, value, isWellFormed)
    if (!kept.ok) throw pointerFault(kept.pointer, 'has a lone surrogate or U+0000')
    return kept.value
  }
}

function bodyFault(validator: Validator, value: unknown): RequestFault {
  return pointerFault(firstFault(validator.Errors(value)), 'is missing, of the wrong type or out of range')
}

function pointerFault(pointer: string, detail: string): RequestFault {
  const field = pointer === '' ? 'The body' : `The field ${pointer}`
  return new RequestFault('invalid_field', `${field} ${detail}.`, { in: 'body', pointer, detail: `${field} ${detail}.` })
}

function fieldFault(where: 'path' | 'query' | 'header', name: string, detail: string): RequestFault {
  const message = `The ${where} parameter ${name} ${detail}.`.replace('header parameter', 'header')
  return new RequestFault('invalid_field', message, { in: where, name, detail: message })
}
