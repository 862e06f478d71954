/** Where a turn is found. */
import type { StreamTickets } from '../auth/stream-tickets.ts'

export interface TurnAddresses {
  /** `GET` for a turn as it stands, and for the reply as a stream. */
  readonly statusUrl: string
  readonly streamEndpoint: string
}

/** `tickets`: null where streams need no credentials. Rejects with ChatError `unavailable`. */
export async function turnAddresses(tickets: StreamTickets | null, { turnId, userId }: { readonly turnId: string; readonly userId: string }): Promise<TurnAddresses> {
  const query = tickets === null ? '' : `?ticket=${await tickets.issue(turnId, userId)}`
  return { statusUrl: `/turns/${turnId}`, streamEndpoint: `/stream/${turnId}${query}` }
}
