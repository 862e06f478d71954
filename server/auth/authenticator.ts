/** Who a client is, and what it may do. One adapter a mode of authentication. */
import { permissions, type Permission } from '../../protocol/permissions.ts'

export interface Credentials {
  /** An API key, or a token of an identity provider; absent where the client showed none. */
  readonly token?: string | undefined
  /** A single-use ticket, of the handshake's address; counts where there is no token. */
  readonly ticket?: string | undefined
  /** Where the client is, as `addressKey` gives it: whose failures are counted. */
  readonly address: string
}

export interface Identity {
  /** Null: may act for any user, and has named none. */
  readonly userId: string | null
  /** May name another user in a request. */
  readonly actsForOthers: boolean
  readonly permissions: ReadonlySet<Permission>
  /** Name of a plan; `default` where nothing says. */
  readonly plan: string
  /** Of an API key: for limits and the access log. */
  readonly keyId: string | null
  /** Milliseconds since the epoch. */
  readonly expiresAt: number | null
}

export interface Authenticator {
  /** False in mode `none`, where nobody needs credentials, and browsers no tickets. */
  readonly isRequired: boolean
  /**
   * Rejects with ChatError `unauthenticated`, which says nothing of why, `rate_limited` after too many failures, or
   * `unavailable` where it cannot be told now.
   */
  authenticate(credentials: Credentials): Promise<Identity>
  /** Those of the API keys that hold still. Rejects with ChatError `unavailable`. */
  holdingKeys(ids: readonly string[]): Promise<ReadonlySet<string>>
}

export const defaultPlan = 'default'
export const allPermissions: ReadonlySet<Permission> = new Set(permissions)

/** Whoever has not said who they are. */
export const nobody: Identity = { userId: null, actsForOthers: false, permissions: new Set(), plan: defaultPlan, keyId: null, expiresAt: null }
