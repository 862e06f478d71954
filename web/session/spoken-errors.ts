import type { ErrorCode } from '../../protocol/errors.ts'
import type { ShownError } from './views.ts'

/** What somebody who chats can make something of. Other errors say what the server says. */
const spoken: Partial<Record<ErrorCode, string>> = {
  busy: 'Four messages are waiting already. Send this one again when a reply has come.',
  rate_limited: 'That was a lot at once. Try again in a moment.',
  too_many_turns: 'Several replies are being written already. Send this one again when one has come.',
  quota_exceeded: 'Today\'s allowance is used up. Try again later.',
  overloaded: 'Too many people are chatting right now. Try again in a moment.',
  unavailable: 'The server cannot take messages right now. Try again in a moment.',
  context_too_long: 'This is too long for the model. Try a shorter message, or a new chat.',
  engine_unavailable: 'The model could not be reached.',
  engine_rejected: 'The model refused this request.',
  deadline_exceeded: 'The reply took too long.',
  internal: 'Something went wrong on the server.',
}

/** Why a message waits that is sent again by itself. */
export function heldFor(error: { readonly code: string } | null): string {
  if (error?.code === 'rate_limited') return 'That was a lot at once'
  return error?.code === 'overloaded' ? 'Too many people are chatting right now' : 'The server cannot take it right now'
}

export function spokenError({ code, message, retryable }: ShownError): ShownError {
  return { code, message: Object.hasOwn(spoken, code) ? (spoken[code as ErrorCode] ?? message) : message, retryable }
}
