import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { limitParts } from '../../actors/testing/turn-limits.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { ClientAddresses } from '../http/client-address.ts'
import { startLiveEdge } from '../testing/live-edge.ts'
import { startTestEdge } from '../testing/test-edge.ts'
import { testLimits } from '../testing/test-limits.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

t.test('a turn beyond the limit is refused with when to come back, and leaves no conversation behind', async (t) => {
  const world = await newWorld(t, postgres)
  const { door } = limitParts({ plan: { turns_per_minute: 1 } })
  const { post, get } = await startLiveEdge(t, world, 'edge-1', { door: (actors) => door(actors) })
  const begin = (message: string) => post('/stream-chat', { message, user_id: 'ann', context: [], stream: true })
  t.equal((await begin('one')).status, 200)
  const refused = await begin('two')
  t.equal(refused.status, 429)
  t.match(refused.headers.get('retry-after'), /^(5\d|60)$/)
  t.match(refused.headers.get('ratelimit'), /^"turns_per_minute";r=0;t=\d+$/)
  t.equal(refused.headers.get('ratelimit-policy'), '"turns_per_minute";q=1;w=60')
  t.match(await refused.json(), { code: 'rate_limited', status: 429, detail: 'Too many messages in a minute.' })
  t.equal((await (await get('/conversations', { 'X-User-Id': 'ann' })).json()).conversations.length, 1)
})

t.test('a repeated request gets its first answer, whatever the limit says', async (t) => {
  const world = await newWorld(t, postgres)
  const { door } = limitParts({ plan: { turns_per_minute: 1, concurrent_turns: 1 } })
  const { post } = await startLiveEdge(t, world, 'edge-1', { door: (actors) => door(actors) })
  const begin = (key: string) => post('/stream-chat', { message: 'hello', user_id: 'ann', context: [], stream: true }, { 'Idempotency-Key': key })
  const first = await (await begin('k')).json()
  t.equal((await begin('other')).status, 429)
  t.same(await (await begin('k')).json(), first)
})

t.test('behind a proxy that is trusted each client has an address of its own, for requests, handshakes and connections', async (t) => {
  const addresses = new ClientAddresses({ trusted: ['127.0.0.0/8'], header: 'x-forwarded-for' })
  const { edge, connect } = await startTestEdge(t, { addresses, maxConnectionsPerAddress: 1, limits: testLimits({ addressPoints: 3 }) })
  const list = (from: string) => fetch(`http://127.0.0.1:${edge.port}/conversations`, { headers: { 'X-User-Id': 'ann', 'X-Forwarded-For': from } })
  const from = (address: string) => ({ headers: { 'X-Forwarded-For': address } })
  for (let n = 0; n < 3; n += 1) t.equal((await list(`9.9.9.${n}, 203.0.113.1`)).status, 200)
  const refused = await list('203.0.113.1')
  t.equal(refused.status, 429)
  t.match(refused.headers.get('ratelimit'), /^"requests_per_address";r=0;t=\d+$/)
  await t.rejects(connect(from('203.0.113.1')), /429/)

  t.equal((await list('203.0.113.2')).status, 200)
  await connect(from('203.0.113.2'))
  await t.rejects(connect(from('203.0.113.2')), /429/, 'it has its one connection')
  await connect(from('203.0.113.3'))
})

t.test('handshakes without end are refused like requests without end', async (t) => {
  const refusals: string[] = []
  const { connect } = await startTestEdge(t, { limits: testLimits({ addressPoints: 5, refused: (limit) => refusals.push(limit) }) })
  const outcomes = new Set<string>()
  for (let n = 0; n < 10; n += 1) await connect().then((socket) => socket.leave().then(() => outcomes.add('taken')), (error: Error) => outcomes.add(error.message.includes('429') ? 'refused' : error.message))
  t.same(outcomes, new Set(['taken', 'refused']))
  t.equal(new Set(refusals).size, 1)
  t.ok(refusals.length >= 4)
})
