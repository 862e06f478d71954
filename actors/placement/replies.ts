/** What an edge answers to another that asks it for a conversation. */
import type { Static } from 'typebox'
import type { Moved, Refused } from '../../protocol/bus/forwarding.ts'
import { busVersion } from '../../protocol/bus/subjects.ts'
import { ChatError, errorCatalogue, type ErrorCode } from '../../protocol/errors.ts'
import { OwnerAway } from './owner-away.ts'

export const moved: Static<typeof Moved> = { v: busVersion, type: 'moved' }

export function refused(error: ChatError): Static<typeof Refused> {
  return { v: busVersion, type: 'refused', code: error.code, message: error.message, ...(error.retryAfterMs === undefined ? {} : { retry_after_ms: error.retryAfterMs }) }
}

/** The error that such an answer stands for. A code that this version does not know is `internal`. */
export function errorOfReply(reply: Static<typeof Refused> | Static<typeof Moved>): ChatError | OwnerAway {
  if (reply.type === 'moved') return new OwnerAway('moved')
  const code: ErrorCode = Object.hasOwn(errorCatalogue, reply.code) ? (reply.code as ErrorCode) : 'internal'
  return new ChatError(code, reply.message, reply.retry_after_ms === undefined ? {} : { retryAfterMs: reply.retry_after_ms })
}
