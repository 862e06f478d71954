/** Why an engine did not do what it was asked. The message is for logs: it may quote the engine, never a prompt or a reply. */
export type EngineFailureKind =
  /** The request itself is refused: 4xx but 408 and 429. Final. */
  | 'rejected'
  /** Prompt and reply do not fit into the context window. Final for this prompt. */
  | 'too_long'
  /** No answer, a broken connection, 5xx, 408, 429 or an error in the stream. */
  | 'unavailable'
  /** The stream ended with no finish reason, or one that is no success. */
  | 'incomplete'
  /** No data event within the deadline. */
  | 'stalled'
  /** Bytes that are no answer of such an engine. */
  | 'malformed'

export class EngineFailure extends Error {
  override readonly name = 'EngineFailure'
  readonly kind: EngineFailureKind
  /** HTTP status, also of an error in a stream; null where there was none. */
  readonly status: number | null

  constructor(kind: EngineFailureKind, message: string, options?: { readonly status?: number; readonly cause?: unknown }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.kind = kind
    this.status = options?.status ?? null
  }

  /** Whether the same request may succeed later or elsewhere. */
  get retryable(): boolean {
    return this.kind !== 'rejected' && this.kind !== 'too_long'
  }
}

/** Of an engine's error object; fields that are missing are null. */
export interface EngineErrorBody {
  readonly message: string | null
  readonly type: string | null
  readonly param: string | null
  /** vLLM: the HTTP status that would have been. */
  readonly code: number | null
}

const requestTimeout = 408
const tooManyRequests = 429
const firstServerError = 500
/** Longest part of an engine's message that is told. */
const quotedLength = 200

/**
 * vLLM has no code for an overflow: it is a 400 that names `input_tokens`, or `max_tokens` where the prompt alone
 * fills the window, as what is sent asks for one token at least and no more than the window. llama.cpp names a type.
 */
export function failureOf(status: number, body: EngineErrorBody): EngineFailure {
  // The message of a refusal may quote what was refused: the prompt.
  const words = status < firstServerError ? `param ${body.param ?? 'unknown'}` : (body.message ?? 'no message').slice(0, quotedLength)
  const message = `${status} ${body.type ?? 'of no type'}: ${words}`
  if (status < 400 || status >= firstServerError || status === requestTimeout || status === tooManyRequests) return new EngineFailure('unavailable', message, { status })
  const overflow = status === 400 && (body.param === 'input_tokens' || body.param === 'max_tokens' || body.type === 'exceed_context_size_error')
  return new EngineFailure(overflow ? 'too_long' : 'rejected', message, { status })
}
