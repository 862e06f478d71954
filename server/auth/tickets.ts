/**
 * Single-use tickets for the WebSockets of browsers, which can set no header: asked for with credentials, and shown in
 * the address of the handshake within 30 s. Whichever edge sees it first has it. It says which bucket its user is in,
 * and so on which shard it lies; all else of it is randomness, of which only a hash is kept.
 */
import { createHash, randomBytes } from 'node:crypto'
import { bucketCount, bucketOfUser } from '../../protocol/ids.ts'
import { permissions } from '../../protocol/permissions.ts'
import type { Clock } from '../../platform/clock.ts'
import type { CredentialStore } from '../../storage/credential-store.ts'
import type { Identity } from './authenticator.ts'

const validMs = 30_000
const pattern = /^wt_([0-9]{1,4})_[0-9a-f]{64}$/

export interface TicketsOptions {
  readonly store: Pick<CredentialStore, 'keepTicket' | 'takeTicket'>
  readonly clock: Clock
}

/** As it is kept, in JSON. */
interface Holder {
  readonly user_id: string
  readonly permissions: readonly string[]
  readonly plan: string
  readonly key_id: string | null
  readonly expires_at: number | null
}

export class Tickets {
  readonly #options: TicketsOptions

  constructor(options: TicketsOptions) {
    this.#options = options
  }

  /** For this user alone, with what the identity may do. Rejects with ChatError `unavailable`. */
  async issue(identity: Identity, userId: string): Promise<{ readonly ticket: string; readonly expiresAt: number }> {
    const { store, clock } = this.#options
    const ticket = `wt_${bucketOfUser(userId)}_${randomBytes(32).toString('hex')}`
    const holder: Holder = { user_id: userId, permissions: [...identity.permissions], plan: identity.plan, key_id: identity.keyId, expires_at: identity.expiresAt }
    await store.keepTicket(userId, hashOf(ticket), holder, validMs)
    return { ticket, expiresAt: clock.now() + validMs }
  }

  /** Null where the ticket opens nothing, or did so before. Rejects with ChatError `unavailable`. */
  async redeem(ticket: string): Promise<Identity | null> {
    const bucket = Number(pattern.exec(ticket)?.[1] ?? bucketCount)
    if (bucket >= bucketCount) return null
    const holder = (await this.#options.store.takeTicket(bucket, hashOf(ticket))) as Holder | null
    if (holder === null) return null
    return {
      userId: holder.user_id,
      actsForOthers: false,
      permissions: new Set(permissions.filter((permission) => holder.permissions.includes(permission))),
      plan: holder.plan,
      keyId: holder.key_id,
      expiresAt: holder.expires_at,
    }
  }
}

function hashOf(ticket: string): Buffer {
  return createHash('sha256').update(ticket).digest()
}
