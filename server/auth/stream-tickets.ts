/**
 * Tickets for the stream of one turn. A browser's EventSource can set no header and comes back to the same address after
 * each break, so that this ticket holds until the stream is surely over, as often as it is shown, and opens nothing but
 * that stream. Nothing of it is kept: it is signed (HMAC-SHA256) with a secret that all edges share.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { isTurnId } from '../../protocol/ids.ts'
import type { Clock } from '../../platform/clock.ts'
import type { CredentialStore } from '../../storage/credential-store.ts'
import { nobody, type Identity } from './authenticator.ts'

/** After the time by which a turn that begins now has ended: its reply may be read for a while. */
const afterDeadlineMs = 600_000
const pattern = /^st_([0-9]{1,16})_([0-9a-f]{64})_([0-9A-Za-z_-]{1,700})$/
const secretName = 'stream tickets'

export interface StreamTicketsOptions {
  readonly store: Pick<CredentialStore, 'secret'>
  readonly clock: Clock
  /** How long a turn may take. */
  readonly turnDeadlineMs: number
}

export class StreamTickets {
  readonly #options: StreamTicketsOptions
  #secret: Promise<Uint8Array> | null = null

  constructor(options: StreamTicketsOptions) {
    this.#options = options
  }

  /** Rejects with ChatError `unavailable`. */
  async issue(turnId: string, userId: string): Promise<string> {
    const { clock, turnDeadlineMs } = this.#options
    const expiresAt = clock.now() + turnDeadlineMs + afterDeadlineMs
    return `st_${expiresAt}_${(await this.#sign(turnId, userId, expiresAt)).toString('hex')}_${Buffer.from(userId).toString('base64url')}`
  }

  /** Who may read the stream of the turn, and nothing else; null where the ticket is not for it. Rejects with ChatError `unavailable`. */
  async identify(turnId: string, ticket: string): Promise<Identity | null> {
    const [, until, signature, user] = pattern.exec(ticket) ?? []
    if (until === undefined || signature === undefined || user === undefined || !isTurnId(turnId)) return null
    const userId = Buffer.from(user, 'base64url').toString()
    const expected = await this.#sign(turnId, userId, Number(until))
    if (!timingSafeEqual(expected, Buffer.from(signature, 'hex')) || Number(until) <= this.#options.clock.now()) return null
    return { ...nobody, userId, permissions: new Set(['conversations:read']), expiresAt: Number(until) }
  }

  async #sign(turnId: string, userId: string, expiresAt: number): Promise<Buffer> {
    this.#secret ??= this.#options.store.secret(secretName)
    try {
      return createHmac('sha256', await this.#secret).update(`${turnId} ${expiresAt} ${userId}`).digest()
    } catch (error) {
      this.#secret = null
      throw error
    }
  }
}
