import fc from 'fast-check'
import t from 'tap'
import { bucketOfUser, newTurnId } from '../../protocol/ids.ts'
import { MemoryCredentials } from '../../storage/testing/memory-credentials.ts'
import type { Identity } from './authenticator.ts'
import { StreamTickets } from './stream-tickets.ts'
import { movingClock } from './testing/moving-clock.ts'
import { Tickets } from './tickets.ts'

const key: Identity = { userId: null, actsForOthers: true, permissions: new Set(['turns:write']), plan: 'gold', keyId: 'k', expiresAt: 123 }

t.test('a ticket is for one user, once, on whichever edge, and for no one else', async (t) => {
  const clock = movingClock()
  const store = new MemoryCredentials(() => clock.now())
  const [here, there] = [new Tickets({ store, clock }), new Tickets({ store, clock })]
  const { ticket, expiresAt } = await here.issue(key, 'anna')
  t.equal(expiresAt, clock.now() + 30_000)
  const redeemed = await Promise.all([here, there, here, there].map((edge) => edge.redeem(ticket)))
  t.same(redeemed.filter((each) => each !== null), [{ ...key, userId: 'anna', actsForOthers: false }])
  const late = await here.issue(key, 'anna')
  clock.pass(30_000)
  t.equal(await there.redeem(late.ticket), null)
})

t.test('what only looks like a ticket opens nothing', async (t) => {
  const clock = movingClock()
  const tickets = new Tickets({ store: new MemoryCredentials(() => clock.now()), clock })
  const { ticket } = await tickets.issue(key, 'anna')
  const [, , random] = ticket.split('_')
  const other = (bucketOfUser('anna') + 1) % 1024
  for (const wrong of ['', 'wt_', `wt_${other}_${random}`, `wt_1024_${random}`, `wt_-1_${random}`, `${ticket} `, `wt_${bucketOfUser('anna')}_${'0'.repeat(64)}`]) t.equal(await tickets.redeem(wrong), null, wrong)
  t.ok(await tickets.redeem(ticket))
})

t.test('a ticket for a stream opens that stream on every edge, until ten minutes after the deadline, and lets its holder only read', async (t) => {
  const clock = movingClock()
  const store = new MemoryCredentials(() => clock.now())
  const [here, there] = [new StreamTickets({ store, clock, turnDeadlineMs: 1000 }), new StreamTickets({ store, clock, turnDeadlineMs: 1000 })]
  const turnId = newTurnId(3)
  const ticket = await here.issue(turnId, 'änna')
  t.match(ticket, /^[0-9A-Za-z_-]+$/)
  for (const edge of [here, there, there]) t.match(await edge.identify(turnId, ticket), { userId: 'änna', actsForOthers: false, permissions: new Set(['conversations:read']) })
  t.equal(await there.identify(newTurnId(3), ticket), null)
  clock.pass(600_000)
  t.ok(await there.identify(turnId, ticket))
  clock.pass(1_000)
  t.equal(await there.identify(turnId, ticket), null)
})

t.test('no change of a stream ticket opens anything', async () => {
  const clock = movingClock()
  const tickets = new StreamTickets({ store: new MemoryCredentials(), clock, turnDeadlineMs: 1000 })
  const turnId = newTurnId(3)
  const ticket = await tickets.issue(turnId, 'anna')
  const alphabet = '0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-'
  await fc.assert(
    fc.asyncProperty(fc.nat(ticket.length - 1), fc.constantFrom(...alphabet.split('')), async (at, letter) => {
      const changed = ticket.slice(0, at) + letter + ticket.slice(at + 1)
      fc.pre(changed !== ticket)
      const identity = await tickets.identify(turnId, changed)
      // The last letter of the user's name has bits that stand for nothing.
      return identity === null || (at === ticket.length - 1 && identity.userId === 'anna')
    }),
  )
})

t.test('a store that is away at first is asked again', async (t) => {
  const clock = movingClock()
  const store = new MemoryCredentials()
  const tickets = new StreamTickets({ store, clock, turnDeadlineMs: 1000 })
  store.isAway = true
  await t.rejects(tickets.issue(newTurnId(3), 'anna'), { code: 'unavailable' })
  store.isAway = false
  t.ok(await tickets.issue(newTurnId(3), 'anna'))
})
