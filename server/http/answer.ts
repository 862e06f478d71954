/** What a route answers: decided first, whole, and sent afterwards, so that nothing can fail half way. */
import { STATUS_CODES } from 'node:http'
import { errorCatalogue, type ErrorCode } from '../../protocol/errors.ts'

export type Headers = Readonly<Record<string, string>>

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  /** Null: an answer that has no body, as 304. */
  readonly body: string | Uint8Array | null
}

export function json(status: number, value: unknown, headers: Headers = {}): HttpAnswer {
  return { status, headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers }, body: JSON.stringify(value) }
}

/** Problem details (RFC 9457); `code` is one of the catalogue, where one says it. */
export function problem(status: number, detail: string, headers: Headers = {}, code?: ErrorCode): HttpAnswer {
  const body = { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error', status, ...(code === undefined ? {} : { code }), detail }
  return json(status, body, { 'Content-Type': 'application/problem+json', ...headers })
}

/** An error of the catalogue as problem details. */
export function errorProblem(code: ErrorCode, headers: Headers = {}): HttpAnswer {
  return problem(errorCatalogue[code].status, errorCatalogue[code].message, headers, code)
}
