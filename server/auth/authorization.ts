/** What an identity may do, and for whom. */
import { ChatError } from '../../protocol/errors.ts'
import type { Permission } from '../../protocol/permissions.ts'
import type { Identity } from './authenticator.ts'

/** The refusal, or null. `needed` is null for what everybody may do who is known. */
export function missingPermission(identity: Identity, needed: Permission | null): ChatError | null {
  return needed === null || identity.permissions.has(needed) ? null : new ChatError('forbidden', `The credentials lack the permission ${needed}.`)
}

/**
 * Whose request it is: the user that it names, else the credentials' own; null where neither says. Throws ChatError
 * `forbidden` where they may not act for whom it names.
 */
export function actingUser(identity: Identity, named: string | undefined): string | null {
  if (named === undefined || named === identity.userId) return identity.userId
  if (!identity.actsForOthers) throw new ChatError('forbidden', 'The credentials do not allow acting for another user.')
  return named
}
