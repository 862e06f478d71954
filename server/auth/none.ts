/** Mode `none`: everyone is who they say they are. For a server that only its owner can reach. */
import { ChatError } from '../../protocol/errors.ts'
import { allPermissions, defaultPlan, type Authenticator, type Credentials, type Identity } from './authenticator.ts'
import type { Tickets } from './tickets.ts'

const anybody: Identity = { userId: null, actsForOthers: true, permissions: allPermissions, plan: defaultPlan, keyId: null, expiresAt: null }

/** Tickets serve here too, so that a client needs not know the mode. */
export function createNoAuthentication(tickets: Pick<Tickets, 'redeem'>): Authenticator {
  const authenticate = async ({ token, ticket }: Credentials): Promise<Identity> => {
    if (token !== undefined || ticket === undefined) return anybody
    const identity = await tickets.redeem(ticket)
    if (identity === null) throw new ChatError('unauthenticated')
    return identity
  }
  return { isRequired: false, authenticate, holdingKeys: (ids) => Promise.resolve(new Set(ids)) }
}
