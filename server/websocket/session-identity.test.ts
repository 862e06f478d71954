import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { commands, type CommandType } from '../../protocol/websocket/messages.ts'
import { allPermissions, nobody, type Authenticator, type Credentials, type Identity } from '../auth/authenticator.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { scriptedService, turnId } from '../testing/scripted-service.ts'
import { startTestEdge } from '../testing/test-edge.ts'
import { testLimits } from '../testing/test-limits.ts'

const anna: Identity = { ...nobody, userId: 'anna', permissions: allPermissions }

/** Knows the tokens of `identities`, and keeps what it was shown. */
function known(identities: Readonly<Record<string, Identity>>): Authenticator & { readonly shown: Credentials[] } {
  const shown: Credentials[] = []
  return {
    isRequired: true,
    shown,
    holdingKeys: async (ids) => new Set(ids),
    authenticate: async (credentials) => {
      shown.push(credentials)
      const identity = identities[credentials.token ?? '']
      if (identity === undefined) throw new ChatError('unauthenticated')
      return identity
    },
  }
}

const fields = { conversation_id: 1024, message_id: 2048, client_message_id: 'a', text: 'hello', turn_id: turnId, title: 'A title' }

t.test('a command whose permission the credentials lack is refused, whichever it is, and the connection goes on', async (t) => {
  const edge = await startTestEdge(t, { authenticator: known({ bare: { ...anna, permissions: new Set() }, full: anna }) })
  const bare = await edge.connect({ headers: { Authorization: 'Bearer bare' } })
  const full = await edge.connect({ headers: { 'X-API-Key': 'full' } })
  for (const socket of [bare, full]) t.match(await socket.hello(), { type: 'welcome', user_id: 'anna' })
  for (const type of (Object.keys(commands) as CommandType[]).filter((type) => commands[type].permission !== null)) {
    t.match(await bare.ask({ type, ...fields }), { type: 'error', code: 'forbidden' }, type)
    t.notMatch(await full.ask({ type, ...fields }), { code: 'forbidden' }, type)
  }
  t.match(await bare.ask({ type: 'ping' }), { type: 'pong' })
  const unguarded = (Object.keys(commands) as CommandType[]).filter((type) => commands[type].permission === null)
  t.same(unguarded, ['hello', 'auth.refresh', 'pace.set', 'ping'], 'what touches nobody\'s conversations')
})

t.test('credentials of the handshake serve where hello brings none, and a page of another origin may not bring any', async (t) => {
  const authenticator = known({ a: anna, b: { ...anna, userId: 'ben' } })
  const edge = await startTestEdge(t, { authenticator })
  const socket = await edge.connect({ headers: { Authorization: 'Bearer a' } })
  t.match(await socket.ask({ type: 'hello', token: 'b' }), { user_id: 'ben' }, 'those of hello come first')
  for (const headers of [{}, { Authorization: 'Basic a' }, { Authorization: 'Bearer a', 'X-API-Key': 'b' }]) {
    const refused = await edge.connect({ headers })
    t.match(await refused.hello(), { code: 'unauthenticated' })
    t.equal((await refused.closed).code, 4401)
  }
  await t.rejects(edge.connect({ headers: { Authorization: 'Bearer a', Origin: 'https://elsewhere.example' } }), /403/)
})

t.test('who may act for others names whom; who may not is refused', async (t) => {
  const edge = await startTestEdge(t, { authenticator: known({ a: anna, any: { ...anna, userId: null, actsForOthers: true } }) })
  const hello = async (token: string, userId?: string) => (await edge.connect()).ask({ type: 'hello', token, ...(userId === undefined ? {} : { user_id: userId }) })
  t.match(await hello('a', 'anna'), { user_id: 'anna' })
  t.match(await hello('a', 'ben'), { code: 'forbidden' })
  t.match(await hello('any', 'ben'), { user_id: 'ben' })
  t.match(await hello('any'), { code: 'forbidden' })
})

t.test('credentials that expire are told a minute before, may be refreshed, and close with 4401 at their end', async (t) => {
  const now = Date.now()
  const until = (ms: number): Identity => ({ ...anna, expiresAt: now + ms })
  const edge = await startTestEdge(t, { authenticator: known({ long: until(3_600_000), longer: until(7_200_000), ben: { ...anna, userId: 'ben' }, ever: anna }) })
  const [kept, left] = [await edge.connect(), await edge.connect()]
  for (const socket of [kept, left]) t.match(await socket.ask({ type: 'hello', token: 'long' }), { expires_at: new Date(now + 3_600_000).toISOString() })
  edge.pass(3_540_000)
  for (const socket of [kept, left]) t.match(await socket.next(({ type }) => type === 'auth.expiring'), { expires_at: new Date(now + 3_600_000).toISOString() })
  t.match(await kept.ask({ type: 'auth.refresh', token: 'ben' }), { code: 'forbidden' })
  t.match(await kept.ask({ type: 'auth.refresh', token: 'wrong' }), { code: 'unauthenticated' })
  t.match(await kept.ask({ type: 'auth.refresh', token: 'longer' }), { type: 'auth.refreshed', expires_at: new Date(now + 7_200_000).toISOString() })
  edge.pass(60_000)
  t.match(await left.next(), { type: 'error', code: 'unauthenticated' })
  t.same(await left.closed, { code: 4401, reason: 'unauthenticated' })
  t.match(await kept.ask({ type: 'ping' }), { type: 'pong' })
  edge.pass(3_540_000)
  await kept.next(({ type }) => type === 'auth.expiring')
  t.match(await kept.ask({ type: 'auth.refresh', token: 'ever' }), { type: 'auth.refreshed' })
  t.equal(kept.messages.length, 0)
})

t.test('connections of a revoked key close with 4401 within seconds, those of others stay, and all stay while it cannot be asked', async (t) => {
  const revoked = new Set<string>()
  let isAway = true
  let asked = () => {}
  const authenticator: Authenticator = {
    ...known({ one: { ...anna, keyId: 'one' }, two: { ...anna, keyId: 'two' }, token: anna }),
    holdingKeys: async (ids) => {
      asked()
      if (isAway) throw new ChatError('unavailable')
      return new Set(ids.filter((id) => !revoked.has(id)))
    },
  }
  const edge = await startTestEdge(t, { authenticator })
  const [one, two, token] = [await edge.connect(), await edge.connect(), await edge.connect()]
  for (const [socket, shown] of [[one, 'one'], [two, 'two'], [token, 'token']] as const) await socket.ask({ type: 'hello', token: shown })
  revoked.add('one')
  const asking = new Promise<void>((resolve) => {
    asked = resolve
  })
  edge.pass(5_000)
  await asking
  t.match(await one.ask({ type: 'ping' }), { type: 'pong' })
  isAway = false
  edge.pass(5_000)
  t.same(await one.closed, { code: 4401, reason: 'unauthenticated' })
  for (const socket of [two, token]) t.match(await socket.ask({ type: 'ping' }), { type: 'pong' })
})

t.test('a ticket opens one connection of its user, from the address of the handshake', async (t) => {
  const edge = await startTestEdge(t)
  const answer = await fetch(`http://127.0.0.1:${edge.edge.port}/tickets`, { method: 'POST', headers: { 'X-User-Id': 'anna' } })
  t.equal(answer.status, 201)
  t.equal(answer.headers.get('cache-control'), 'no-store')
  const { ticket } = (await answer.json()) as { ticket: string }
  const [first, second] = [await edge.connect({ query: `?ticket=${ticket}` }), await edge.connect({ query: `?ticket=${ticket}` })]
  t.match(await first.hello(), { type: 'welcome', user_id: 'anna' })
  t.match(await second.hello(), { code: 'unauthenticated' })
  t.equal((await second.closed).code, 4401)
  t.match(await (await edge.connect({ query: '?ticket=' })).hello(), { code: 'unauthenticated' })
})

t.test('the plan of the credentials is told, and goes along with what they begin', async (t) => {
  const service = scriptedService()
  const plans: (string | undefined)[] = []
  const watched = { ...service, send: (...args: Parameters<typeof service.send>) => (plans.push(args[2]?.identity?.plan), service.send(...args)) }
  const edge = await startTestEdge(t, {
    authenticator: known({ plain: anna, gold: { ...anna, plan: 'gold' } }),
    limits: testLimits({ plans: testPlans({ turns_per_minute: 10, sockets: 1 }, { gold: { turns_per_minute: 300, tokens_out_per_day: 1000, sockets: 2 } }) }),
    service: watched,
  })
  const [plain, gold] = [await edge.connect({ headers: { 'X-API-Key': 'plain' } }), await edge.connect({ headers: { 'X-API-Key': 'gold' } })]
  const welcome = await plain.hello()
  t.match(welcome, { limits: { plan: 'default', turns_per_minute: 10 } })
  t.notHas(welcome, { limits: { tokens_out_per_day: Number } })
  t.match(await gold.hello(), { limits: { plan: 'gold', turns_per_minute: 300, tokens_out_per_day: 1000 } })
  t.match(await (await edge.connect({ headers: { 'X-API-Key': 'plain' } })).hello(), { type: 'error', code: 'too_many_connections' })
  for (const socket of [plain, gold]) await socket.ask({ type: 'message.send', ...fields })
  t.same(plans, ['default', 'gold'])
})
