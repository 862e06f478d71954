/** Reading JSON of an engine field by field: what is missing or of another type reads as null. */
import { EngineFailure, type EngineErrorBody } from './failure.ts'

export type JsonObject = Readonly<Record<string, unknown>>

/** Throws EngineFailure `malformed`. */
export function parseObject(text: string): JsonObject {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch (cause) {
    throw new EngineFailure('malformed', 'no JSON', { cause })
  }
  const object = asObject(value)
  if (object === null) throw new EngineFailure('malformed', 'no JSON object')
  return object
}

export function asObject(value: unknown): JsonObject | null {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as JsonObject) : null
}

export function asString(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}

export function asCount(value: unknown): number | null {
  return typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 ? value : null
}

/** Ids of tokens: the highest bit is kept free for the mark of ids that are no text. Throws EngineFailure `malformed`. */
export function asTokenIds(value: unknown): readonly number[] | null {
  if (!Array.isArray(value)) return null
  for (const id of value) {
    if (typeof id !== 'number' || id < 0 || id > 0x7fffffff || !Number.isInteger(id)) throw new EngineFailure('malformed', 'a token id that is none')
  }
  return value as readonly number[]
}

/** Of `{error: {...}}`, `{error: "..."}` (Ollama) or `{message, type, param, code}` (older releases of vLLM). */
export function readErrorBody(object: JsonObject): EngineErrorBody {
  const error = object['error']
  const fields = asObject(error) ?? object
  return {
    message: asString(error) ?? asString(fields['message']) ?? asString(fields['detail']),
    type: asString(fields['type']),
    param: asString(fields['param']),
    code: asCount(fields['code']),
  }
}

/** Of the body of a refusal, which may be anything. */
export function parseErrorBody(text: string): EngineErrorBody {
  try {
    return readErrorBody(parseObject(text))
  } catch {
    return { message: null, type: null, param: null, code: null }
  }
}
