import { ChatError } from '../../protocol/errors.ts'
import type { Operation } from '../../protocol/rest/operation.ts'
import type { Authenticator, Credentials, Identity } from './authenticator.ts'
import type { StreamTickets } from './stream-tickets.ts'

/** What of a request may say who asks: its headers, and for the stream of a turn its address. */
export interface IdentifiedRequest {
  credentials(): Credentials
}

/**
 * Who a request is from. A ticket in the address counts only where the operation says so, and only for want of other
 * credentials. Rejects as an Authenticator does.
 */
export function requestIdentity(authenticator: Authenticator, streamTickets: StreamTickets) {
  return async (request: IdentifiedRequest, { streamTicketFor }: Operation, address: { readonly params: Readonly<Record<string, string>>; readonly query: string }): Promise<Identity> => {
    const credentials = request.credentials()
    const ticket = streamTicketFor === undefined || credentials.token !== undefined ? null : new URLSearchParams(address.query).get('ticket')
    if (ticket === null || streamTicketFor === undefined) return authenticator.authenticate(credentials)
    const identity = await streamTickets.identify(address.params[streamTicketFor] ?? '', ticket)
    if (identity === null) throw new ChatError('unauthenticated')
    return identity
  }
}
