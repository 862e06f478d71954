import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { limitParts } from '../../actors/testing/turn-limits.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { startLiveEdge } from '../testing/live-edge.ts'

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
