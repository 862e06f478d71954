/** An end without a reply, as an error of the catalogue. */
import { ChatError, errorCatalogue, type ErrorCode } from '../../protocol/errors.ts'
import type { ReplyEnd } from './reply-reader.ts'

export function errorOf(end: Exclude<ReplyEnd, { readonly type: 'finished' }>): ChatError {
  if (end.type === 'broken') return end.error
  const { code, message } = end.error
  return new ChatError(Object.hasOwn(errorCatalogue, code) ? (code as ErrorCode) : 'internal', message)
}
