import t from 'tap'
import { WebSocket } from 'undici'
import { ChatError } from '../protocol/errors.ts'
import { createClient } from './client.ts'
import { clientOf, edgeOf, error, read, talk, until, untilState } from './testing/talk.ts'

t.test('a server that drains is left for another without losing or showing anything', async (t) => {
  const { edge, client, fake, conversation } = await talk(t)
  const states: string[] = []
  client.on('state', (state) => states.push(state))
  const turn = conversation.send('Hello')
  const text = read(turn)
  await turn.accepted
  fake.start()
  fake.say('before ')
  let most = 0
  edge.verdict = (command) => {
    if (command.type === 'hello') most = Math.max(most, edge.connections.size)
    return 'handle'
  }
  edge.broadcast({ type: 'server.draining', reconnect_after_ms: 1 })
  fake.say('while ')
  await edge.untilCommand('conversation.open', 2)
  fake.say('after')
  fake.finish()
  t.equal(await text, 'before while after')
  t.equal(most, 2, 'the new connection is made before the old one is left')
  await edge.until(() => edge.connections.size === 1)
  t.strictSame(states, [], 'the client never stopped being open')
})

t.test('a connection that is lost while its successor is dialled is no more than lost', async (t) => {
  const { edge, client, conversation } = await talk(t)
  edge.verdict = (command) => (command.type === 'hello' ? 'ignore' : 'handle')
  edge.broadcast({ type: 'server.draining', reconnect_after_ms: 0 })
  await edge.untilCommand('hello', 2)
  edge.verdict = () => 'handle'
  edge.cut()
  await untilState(client, 'reconnecting')
  await untilState(client, 'open')
  await until(conversation, ({ status }) => status === 'open')
})

t.test('a client comes back after codes that allow it, and not after those that do not', async (t) => {
  const edge = await edgeOf(t)
  for (const code of [1001, 1012, 1013, 4429, 4430]) {
    const client = clientOf(t, edge)
    await client.connect()
    for (const connection of [...edge.connections]) connection.close(code)
    await untilState(client, 'reconnecting')
    await untilState(client, 'open')
    client.close()
    t.pass(`back after ${code}`)
  }
  for (const [code, expected] of [[1000, 'unavailable'], [1009, 'frame_too_big'], [4400, 'bad_frame'], [4401, 'unauthenticated'], [4403, 'forbidden'], [4408, 'hello_timeout']] as const) {
    const client = clientOf(t, edge, { token: 'fixed' })
    await client.connect()
    const pending = client.listConversations({ before: 1 })
    edge.verdict = () => 'ignore'
    for (const connection of [...edge.connections]) connection.close(code)
    await untilState(client, 'closed')
    t.match(client.error, { code: expected }, String(code))
    await t.rejects(pending.then(() => client.listConversations()), { code: expected })
    await t.rejects(client.connect(), { code: expected })
    edge.verdict = () => 'handle'
  }
})

t.test('a refused hello ends the client where credentials are at fault, and is tried again where the server is busy', async (t) => {
  const edge = await edgeOf(t)
  edge.verdict = () => error('forbidden')
  const refused = clientOf(t, edge)
  await t.rejects(refused.connect(), { code: 'forbidden' })
  t.equal(refused.state, 'closed')
  let refusals = 2
  edge.verdict = () => (refusals-- > 0 ? error('unavailable', { retry_after_ms: 1 }) : 'handle')
  const patient = clientOf(t, edge)
  const errors: string[] = []
  patient.on('error', ({ code }) => errors.push(code))
  await patient.connect()
  t.strictSame(errors, ['unavailable', 'unavailable'])
})

t.test('tokens are fetched for each connection, once more when they are refused, and before they expire', async (t) => {
  const edge = await edgeOf(t)
  const tokens = ['old', 'new', 'newer', 'newest', 'last']
  const client = clientOf(t, edge, { token: () => Promise.resolve(tokens.shift() ?? 'none') })
  edge.verdict = (command) => (command.type === 'hello' && command.token === 'old' ? error('unauthenticated') : 'handle')
  await client.connect()
  t.match(edge.commands.at(-1), { type: 'hello', token: 'new' })
  edge.broadcast({ type: 'auth.expiring', expires_at: new Date().toISOString() })
  await edge.untilCommand('auth.refresh')
  t.match(edge.commands.at(-1), { token: 'newer' })
  edge.verdict = () => error('unauthenticated')
  edge.cut()
  await untilState(client, 'closed')
  t.match(edge.commands.slice(-2), [{ token: 'newest' }, { token: 'last' }])
  t.match(client.error, { code: 'unauthenticated' })
})

t.test('a ticket is fetched for each connection, and before it expires another link takes over without a gap', async (t) => {
  const edge = await edgeOf(t)
  const tickets = ['one', 'two', 'three', 'four', 'five']
  const client = clientOf(t, edge, { ticket: () => Promise.resolve(tickets.shift() ?? 'none') })
  const states: string[] = []
  client.on('state', (state) => states.push(state))
  await client.connect()
  t.notOk('token' in (edge.commands.at(-1) as object))
  const renewed = new Promise<void>((resolve) => client.on('welcome', () => resolve()))
  edge.broadcast({ type: 'auth.expiring', expires_at: new Date().toISOString() })
  await renewed
  t.strictSame(edge.queries, ['ticket=one', 'ticket=two'])
  t.strictSame(states, ['open'])
  let refusals = 1
  edge.verdict = () => (refusals-- > 0 ? error('unauthenticated') : 'handle')
  edge.cut()
  await untilState(client, 'reconnecting')
  await untilState(client, 'open')
  t.equal(edge.queries.at(-1), 'ticket=four', 'once more after a refusal')
})

t.test('a token that cannot be had is asked for again', async (t) => {
  const edge = await edgeOf(t)
  let failures = 2
  const client = clientOf(t, edge, {
    token: () => {
      if (failures-- > 0) throw new Error('the network is away')
      return 'token'
    },
  })
  const errors: ChatError[] = []
  client.on('error', (reason) => errors.push(reason))
  await client.connect()
  t.match(errors, [{ code: 'unauthenticated' }, { code: 'unauthenticated' }])
})

t.test('a connection that falls silent is given up, and one that answers pings is kept', async (t) => {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge, { pingIntervalMs: 20, silenceMs: 60 })
  await client.connect()
  await edge.untilCommand('ping', 5)
  t.equal(edge.dialled, 1)
  edge.verdict = (command) => (command.type === 'ping' ? 'ignore' : 'handle')
  await untilState(client, 'reconnecting')
  edge.verdict = () => 'handle'
  await untilState(client, 'open')
  await edge.untilCommand('ping', 10)
  t.ok(edge.dialled >= 2)
})

t.test('a server that cannot be reached is dialled again, at once when the page wakes', async (t) => {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge, { backoff: { baseMs: 10_000_000, maxMs: 10_000_000 } })
  await client.connect()
  edge.cut()
  await untilState(client, 'reconnecting')
  client.wake()
  client.wake()
  await untilState(client, 'open')
  t.equal(edge.dialled, 2)
  client.wake()
  t.equal(edge.dialled, 2, 'nothing to wake')
})

t.test('an address that is none is told at once', async (t) => {
  const client = createClient({ url: 'not an address', WebSocket })
  await t.rejects(client.connect(), { code: 'invalid_field' })
  t.equal(client.state, 'closed')
})
