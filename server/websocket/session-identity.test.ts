import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { commands, type CommandType } from '../../protocol/websocket/messages.ts'
import { allPermissions, nobody, type Authenticator, type Credentials, type Identity } from '../auth/authenticator.ts'
import { turnId } from '../testing/scripted-service.ts'
import { startTestEdge } from '../testing/test-edge.ts'

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
