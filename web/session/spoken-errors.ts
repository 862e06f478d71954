import type { ErrorCode } from '../../protocol/errors.ts'
import type { ShownError } from './views.ts'

/** What somebody who chats can make something of. Other errors say what the server says. */
const spoken: Partial<Record<ErrorCode, string>> = {
  busy: 'Four messages are waiting already. Send this one again when a reply has come.',
  rate_limited: 'That was a lot at once. Try again in a moment.',
  overloaded: 'Too many people are chatting right now. Try again in a moment.',
  unavailable: 'The server cannot take messages right now. Try again in a moment.',
  context_too_long: 'This is too long for the model. Try a shorter message, or a new chat.',
  engine_unavailable: 'The model could not be reached.',
  engine_rejected: 'The model refused this request.',
  deadline_exceeded: 'The reply took too long.',
  internal: 'Something went wrong on the server.',
}

export function spokenError({ code, message, retryable }: ShownError): ShownError {
  return { code, message: Object.hasOwn(spoken, code) ? (spoken[code as ErrorCode] ?? message) : message, retryable }
}
