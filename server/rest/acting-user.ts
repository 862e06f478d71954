/** Whose conversations a request makes or lists. */
import { ChatError } from '../../protocol/errors.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Identity } from '../auth/authenticator.ts'
import { actingUser } from '../auth/authorization.ts'

export interface Named {
  /** The header `X-User-Id`. */
  readonly header: string | undefined
  /** `user_id` in the body or the query. */
  readonly field?: string | undefined
}

/** For what has no owner yet that could be meant. Throws ChatError `forbidden`, also where two users are named, and `invalid_field` where nobody is. */
export function requireUser(identity: Identity, { header, field }: Named): string {
  // Who puts the header there, as a gateway may, is not to be talked round by the body.
  if (header !== undefined && field !== undefined && header !== field) throw new ChatError('forbidden', 'The header X-User-Id names another user than user_id.')
  const userId = actingUser(identity, field ?? header)
  if (userId === null) throw headerFault('user_id, or the header X-User-Id, says which user the request is for.')
  return userId
}

/** The user in whose name a conversation is read or changed; its owner, where the request names nobody and may act for anybody. Throws ChatError. */
export async function ownerFor(service: Pick<ConversationService, 'ownerOf'>, identity: Identity, header: string | undefined, conversationId: number): Promise<string> {
  const userId = actingUser(identity, header) ?? (await service.ownerOf(conversationId))
  if (userId === null) throw new ChatError('conversation_not_found')
  return userId
}

function headerFault(message: string): RequestFault {
  return new RequestFault('invalid_field', message, { in: 'header', name: 'x-user-id', detail: message })
}
