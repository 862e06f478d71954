import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { newTurnId } from '../../protocol/ids.ts'
import type { Operation } from '../../protocol/rest/operation.ts'
import { MemoryCredentials } from '../../storage/testing/memory-credentials.ts'
import { allPermissions, nobody, type Authenticator, type Identity } from './authenticator.ts'
import { requestIdentity } from './request-identity.ts'
import { StreamTickets } from './stream-tickets.ts'
import { movingClock } from './testing/moving-clock.ts'

const ben: Identity = { ...nobody, userId: 'ben', permissions: allPermissions }
const authenticator: Authenticator = {
  isRequired: true,
  authenticate: async ({ token }) => {
    if (token === 'ben') return ben
    throw new ChatError('unauthenticated')
  },
  holdingKeys: async () => new Set(),
}
const stream: Operation = { method: 'get', path: '/stream/{id}', permission: 'conversations:read', summary: 'A stream', streamTicketFor: 'id', responses: {}, errors: [] }
const { streamTicketFor: _, ...other } = stream

t.test('a stream\'s ticket stands in for credentials at that stream, and nowhere else', async (t) => {
  const clock = movingClock()
  const tickets = new StreamTickets({ store: new MemoryCredentials(), clock, turnDeadlineMs: 1000 })
  const identify = requestIdentity(authenticator, tickets)
  const id = newTurnId(1)
  const ticket = await tickets.issue(id, 'anna')
  const who = (operation: Operation, query: string, params: Record<string, string> = { id }, token?: string) => identify({ credentials: () => ({ token, address: 'a' }) }, operation, { params, query })
  t.match(await who(stream, `x=1&ticket=${ticket}`), { userId: 'anna', actsForOthers: false, permissions: new Set(['conversations:read']) })
  t.equal(await who(stream, `ticket=${ticket}`, { id }, 'ben'), ben, 'other credentials come first')
  for (const [operation, query, params] of [[stream, `ticket=${ticket}`, { id: newTurnId(1) }], [stream, 'ticket=', { id }], [stream, '', { id }], [other, `ticket=${ticket}`, { id }]] as const) {
    await t.rejects(who(operation, query, params), { code: 'unauthenticated' })
  }
})
