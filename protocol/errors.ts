/**
 * The catalogue of errors. Every error that leaves a process bears one of these codes, over WebSocket, HTTP and the
 * bus alike. A code is never reused for another meaning. `docs/errors.md` is generated from here.
 */
import type { CloseCode } from './websocket/close-codes.ts'

export interface ErrorDefinition {
  /** Default text for people. A thrown error may say more, never secrets or message text. */
  readonly message: string
  /** HTTP status of a response that reports it. */
  readonly status: number
  /** Whether the same request may succeed later, unchanged. */
  readonly retryable: boolean
  /** Close code, where this error ends a WebSocket. */
  readonly closeCode?: CloseCode
}

export const errorCatalogue = {
  bad_frame: { message: 'The frame is not one well-formed object of the negotiated subprotocol.', status: 400, retryable: false, closeCode: 4400 },
  unknown_type: { message: 'The server does not know this type of command.', status: 400, retryable: false },
  invalid_field: { message: 'A field is missing, of the wrong type or out of range.', status: 400, retryable: false },
  text_empty: { message: 'The text is empty.', status: 400, retryable: false },
  text_too_long: { message: 'The text is longer than 32 KiB of UTF-8.', status: 413, retryable: false },
  text_not_well_formed: { message: 'The text has a lone surrogate, invalid UTF-8 or U+0000.', status: 400, retryable: false },
  history_too_long: { message: 'The imported history has more than 2,000 messages or 1 MiB of text.', status: 413, retryable: false },
  frame_too_big: { message: 'The frame is larger than 256 KiB.', status: 413, retryable: false, closeCode: 1009 },
  not_found: { message: 'There is nothing at this address.', status: 404, retryable: false },
  method_not_allowed: { message: 'This address does not take this method.', status: 405, retryable: false },
  bad_head: { message: 'The head of the request repeats or contradicts itself where it must not.', status: 400, retryable: false },
  head_too_large: { message: 'The head of the request is larger than 16 KiB.', status: 431, retryable: false },
  wrong_host: { message: 'This server does not answer to this host name.', status: 421, retryable: false },
  unsupported_media_type: { message: 'The body must be JSON, sent as Content-Type: application/json.', status: 415, retryable: false },
  bad_body: { message: 'The body is not one well-formed JSON value in UTF-8.', status: 400, retryable: false },
  body_too_large: { message: 'The body is larger than this operation takes.', status: 413, retryable: false },
  body_too_slow: { message: 'The body did not come in time.', status: 408, retryable: true },
  unauthenticated: { message: 'No valid credentials.', status: 401, retryable: false, closeCode: 4401 },
  forbidden: { message: 'The credentials do not allow this.', status: 403, retryable: false, closeCode: 4403 },
  hello_expected: { message: 'The first command must be hello.', status: 400, retryable: false, closeCode: 4400 },
  hello_repeated: { message: 'This connection has said hello already.', status: 400, retryable: false },
  hello_timeout: { message: 'No hello came within 10 s.', status: 408, retryable: false, closeCode: 4408 },
  conversation_not_found: { message: 'There is no such conversation of yours.', status: 404, retryable: false },
  conversation_not_open: { message: 'Open the conversation first.', status: 409, retryable: false },
  message_not_found: { message: 'There is no such message in this conversation.', status: 404, retryable: false },
  turn_not_found: { message: 'There is no such turn of yours.', status: 404, retryable: false },
  model_not_found: { message: 'There is no such model.', status: 404, retryable: false },
  not_editable: { message: 'Only a message of a user can be edited, and only a reply or its user message regenerated.', status: 409, retryable: false },
  idempotency_conflict: { message: 'This client id was used before with other content.', status: 409, retryable: false },
  busy: { message: 'Too many turns of this conversation wait already.', status: 409, retryable: true },
  too_many_conversations: { message: 'Too many conversations are open on this connection.', status: 409, retryable: false },
  too_many_commands: { message: 'Too many commands of this connection are unanswered.', status: 429, retryable: true },
  rate_limited: { message: 'Too many requests.', status: 429, retryable: true, closeCode: 4429 },
  too_many_turns: { message: 'Too many replies of yours are being written; one must end first.', status: 429, retryable: true },
  quota_exceeded: { message: 'What may be used in a day is used up.', status: 429, retryable: false },
  too_many_connections: { message: 'Too many connections.', status: 429, retryable: true, closeCode: 4429 },
  too_slow: { message: 'The connection took nothing for 30 s.', status: 408, retryable: true, closeCode: 4430 },
  overloaded: { message: 'The server is overloaded.', status: 503, retryable: true, closeCode: 1013 },
  unavailable: { message: 'The server cannot store anything at the moment.', status: 503, retryable: true },
  draining: { message: 'This server is about to stop; reconnect.', status: 503, retryable: true, closeCode: 1012 },
  moved: { message: 'Another server owns the conversation now; open it again.', status: 503, retryable: true },
  context_too_long: { message: 'The message does not fit into the context window of the model.', status: 400, retryable: false },
  engine_unavailable: { message: 'No inference engine could complete the reply.', status: 503, retryable: true },
  engine_rejected: { message: 'The inference engine refused the request.', status: 502, retryable: false },
  reply_restarted: { message: 'The reply had to begin anew; what was read of it is void.', status: 503, retryable: true },
  deadline_exceeded: { message: 'The reply was not complete in time.', status: 504, retryable: true },
  internal: { message: 'Something went wrong on the server.', status: 500, retryable: true },
} as const satisfies Record<string, ErrorDefinition>

export type ErrorCode = keyof typeof errorCatalogue

/** What a client sees of an error. */
export interface PublicError {
  readonly code: ErrorCode
  readonly message: string
  readonly retryable: boolean
  readonly retry_after_ms?: number
}

/** An error of the catalogue, thrown or returned. Its message is public: it never holds secrets or text of messages. */
export class ChatError extends Error {
  override readonly name = 'ChatError'
  readonly code: ErrorCode
  readonly retryAfterMs: number | undefined

  constructor(code: ErrorCode, message?: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message ?? errorCatalogue[code].message, options?.cause === undefined ? undefined : { cause: options.cause })
    this.code = code
    this.retryAfterMs = options?.retryAfterMs
  }

  get definition(): ErrorDefinition {
    return errorCatalogue[this.code]
  }

  toPublic(): PublicError {
    return {
      code: this.code,
      message: this.message,
      retryable: this.definition.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retry_after_ms: this.retryAfterMs }),
    }
  }
}
