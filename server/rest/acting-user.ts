/** Whose conversations a request makes or lists. */
import { RequestFault } from '../../protocol/rest/decode.ts'
import type { Identity } from '../auth/authenticator.ts'
import { actingUser } from '../auth/authorization.ts'

/** For what has no owner yet that could be meant. Throws ChatError `forbidden`, and `invalid_field` where nobody is named. */
export function requireUser(identity: Identity, named: string | undefined): string {
  const userId = actingUser(identity, named)
  if (userId !== null) return userId
  const message = 'The header X-User-Id says which user the request is for.'
  throw new RequestFault('invalid_field', message, { in: 'header', name: 'x-user-id', detail: message })
}
