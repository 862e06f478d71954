/** What a route answers: decided first, whole, and sent afterwards, so that nothing can fail half way; or a stream that is opened once its head is sent. */
import { STATUS_CODES } from 'node:http'
import { errorCatalogue, ChatError, type ErrorCode } from '../../protocol/errors.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import { problemType, type Problem } from '../../protocol/rest/problem.ts'
import type { StreamListener, StreamSink } from './stream-sink.ts'

export type Headers = Readonly<Record<string, string>>

/** All of them; of a name that several have, the last one's. Spreading would give each answer a hidden class of its own, at twenty times the cost. */
export function mergeHeaders(...all: readonly Headers[]): Headers {
  const merged: Record<string, string> = {}
  for (const headers of all) for (const name in headers) merged[name] = headers[name] as string
  return merged
}

export interface HttpAnswer {
  readonly status: number
  readonly headers: Headers
  /** Null: an answer that has no body, as 304. */
  readonly body: string | Uint8Array | null
}

export interface StreamAnswer {
  readonly status: number
  readonly headers: Headers
  /** The head goes out with the first write, which is to follow soon. Must not throw. */
  readonly open: (sink: StreamSink) => StreamListener
  /** Called instead where the stream is not wanted: the client is gone, or asked for the head alone. Must not throw. */
  readonly discard?: () => void
}

export type Answer = HttpAnswer | StreamAnswer

export function json(status: number, value: unknown, headers: Headers = {}): HttpAnswer {
  return { status, headers: { 'Content-Type': 'application/json', 'Cache-Control': 'no-store', ...headers }, body: JSON.stringify(value) }
}

export interface ProblemExtensions extends Partial<Pick<Problem, 'retryable' | 'errors'>> {
  readonly code?: ErrorCode
}

/** Problem details (RFC 9457); `code` is one of the catalogue, where one says it. */
export function problem(status: number, detail: string, headers: Headers = {}, extensions: ProblemExtensions = {}): HttpAnswer {
  const { code } = extensions
  // RFC 9457, 4.2.1: without a type the title is the status's own phrase.
  const type = code === undefined ? { type: 'about:blank', title: STATUS_CODES[status] ?? 'Error' } : problemType(code)
  const body: Problem = { ...type, status, detail, ...extensions }
  return json(status, body, { 'Content-Type': 'application/problem+json', ...headers })
}

/** An error of the catalogue as problem details. */
export function errorProblem(code: ErrorCode, headers: Headers = {}): HttpAnswer {
  return problem(errorCatalogue[code].status, errorCatalogue[code].message, headers, { code, retryable: errorCatalogue[code].retryable })
}

/** An error that a handler threw. A fault of the request names the field. */
export function problemOf(error: ChatError, headers: Headers = {}): HttpAnswer {
  const { code, message, retryable } = error.toPublic()
  const fault = error instanceof RequestFault ? error.fault : null
  return problem(error.definition.status, message, { ...retryAfter(error), ...headers }, { code, retryable, ...(fault === null ? {} : { errors: [fault] }) })
}

/** Where an error says nothing of how long to wait, though waiting helps. */
const usualWaitMs = 2_000

/** What a 401 must say (RFC 9110, 11.6.1). */
export function challenge({ code }: ChatError): Headers {
  return code === 'unauthenticated' ? { 'WWW-Authenticate': 'Bearer' } : {}
}

/** Whole seconds, at least one, where the error says how long to wait, and always with 429 and 503. */
export function retryAfter({ retryAfterMs, definition: { status } }: ChatError): Headers {
  const waitMs = retryAfterMs ?? (status === 429 || status === 503 ? usualWaitMs : undefined)
  return waitMs === undefined ? {} : { 'Retry-After': String(Math.max(1, Math.ceil(waitMs / 1000))) }
}
