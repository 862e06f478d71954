/** Mode `none`: everyone is who they say they are. For a server that only its owner can reach. */
import { allPermissions, defaultPlan, type Authenticator, type Identity } from './authenticator.ts'

const anybody: Identity = { userId: null, actsForOthers: true, permissions: allPermissions, plan: defaultPlan, keyId: null, expiresAt: null }

export function createNoAuthentication(): Authenticator {
  return { isRequired: false, authenticate: () => Promise.resolve(anybody), holdingKeys: (ids) => Promise.resolve(new Set(ids)) }
}
