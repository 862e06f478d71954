/** Two edges over one database, keys made by the operator's command, and clients that show them in every way there is. */
import t, { type Test } from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { readKeysCommand } from '../../operator/keys/command-line.ts'
import { runKeys } from '../../operator/keys/keys-command.ts'
import { systemClock } from '../../platform/clock.ts'
import { readConfig } from '../../platform/config/config.ts'
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { createAuthentication, authenticationSettings } from '../../server/auth/configured.ts'
import { startLiveEdge, type LiveEdge } from '../../server/testing/live-edge.ts'
import { openTestSocket } from '../../server/testing/test-socket.ts'
import { startStorage } from '../../storage/testing/postgres-shards.ts'
import { startPostgres, type PostgresServer } from '../harness/postgres.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(async () => {
  await postgres.stop()
  await logger.close()
})

async function newCluster(t: Test) {
  const world = await newWorld(t, postgres, 2)
  let passed = 0
  const clock = { now: () => systemClock.now() + passed, monotonic: () => systemClock.monotonic() + passed }
  const settings = authenticationSettings(readConfig({ CHATTERBOT_AUTH: 'api-key' }))
  const startEdge = async (node: string): Promise<LiveEdge> => {
    const { credentials } = await startStorage(t, world.urls, { logger, node: `${node}-credentials` })
    const services = {
      add: async <S extends { start(): Promise<void>; stop(): Promise<void> }>(service: S): Promise<S> => {
        await service.start()
        t.teardown(() => service.stop())
        return service
      },
    }
    return startLiveEdge(t, world, node, await createAuthentication(settings, { credentials, limits: new MemoryLimits({ monotonic: clock.monotonic }), clock, logger }, services))
  }
  const edges = [await startEdge('edge-1'), await startEdge('edge-2')] as const
  const { credentials } = await startStorage(t, world.urls, { logger, node: 'operator' })
  const keys = async (...args: string[]): Promise<{ readonly id: string; readonly key: string }> => {
    let out = ''
    const command = readKeysCommand([...args, '--json'])
    if (command.type === 'help') throw new Error('help')
    t.equal(await runKeys(command, { credentials, now: clock.now, print: (text) => (out += text), complain: (text) => t.fail(text) }), 0)
    return JSON.parse(out) as { id: string; key: string }
  }
  const pass = (ms: number): void => {
    passed += ms
    for (const edge of edges) edge.pass(ms)
  }
  return { world, edges, keys, pass }
}

const bearer = (key: string) => ({ Authorization: `Bearer ${key}` })

t.test('a key opens what is its user\'s, in every way to show it, and nothing of others', async (t) => {
  const { edges: [edge, other], keys } = await newCluster(t)
  const { key } = await keys('create', '--name', 'ann', '--user', 'ann')
  const { key: bobs } = await keys('create', '--name', 'bob', '--user', 'bob', '--permissions', 'conversations:read')
  const { key: backend } = await keys('create', '--name', 'backend', '--acts-for-others')
  const created = await edge.post('/conversations', { user_id: 'ann', title: 'Hers' }, bearer(key))
  const { conversation_id } = (await created.json()) as { conversation_id: number }
  for (const headers of [bearer(key), { 'X-API-Key': key }, { ...bearer(key), 'X-API-Key': key }, { authorization: `bearer   ${key}` }, { ...bearer(backend), 'X-User-Id': 'ann' }]) {
    t.match(await (await other.get('/conversations', headers)).json(), { conversations: [{ conversation_id }] })
  }
  for (const headers of [{}, bearer(`${key}0`), bearer(key.slice(0, -1)), { Authorization: `Basic ${Buffer.from(`ann:${key}`).toString('base64')}` }, { ...bearer(key), 'X-API-Key': bobs }, { 'X-User-Id': 'ann' }]) {
    const refused = await other.get('/conversations', headers)
    t.equal(refused.status, 401)
    t.equal(refused.headers.get('www-authenticate'), 'Bearer')
    t.match(await refused.json(), { code: 'unauthenticated', detail: 'No valid credentials.' })
  }
  t.equal((await edge.post('/conversations', { user_id: 'ben' }, bearer(key))).status, 403, 'for another')
  t.equal((await edge.get('/conversations', { ...bearer(key), 'X-User-Id': 'bob' })).status, 403)
  t.equal((await edge.post('/conversations', { user_id: 'bob' }, bearer(bobs))).status, 403, 'without the permission')
  const [foreign, none] = await Promise.all([conversation_id, 1_048_575].map(async (id) => (await edge.get(`/conversations/${id}/messages`, bearer(bobs))).json()))
  t.same(foreign, none)
  t.equal((foreign as { status: number }).status, 404)
  const { key: operator } = await keys('create', '--name', 'prometheus', '--user', 'prometheus', '--permissions', 'operations:read')
  t.same(await Promise.all([{}, bearer(key), bearer(operator)].map(async (headers) => (await edge.get('/metrics', headers)).status)), [401, 403, 200])
})

t.test('a stream is followed without any header from the address that the answer gave, on any edge, and nothing else is', async (t) => {
  const { world, edges: [edge, other], keys } = await newCluster(t)
  const { key } = await keys('create', '--name', 'ann', '--user', 'ann')
  const begin = async () => (await (await edge.post('/stream-chat', { message: 'a story', user_id: 'ann' }, bearer(key))).json()) as { correlation_id: string; stream_endpoint: string }
  const bridge = world.bridge()
  const [first, second] = [await begin(), await begin()]
  for (const text of ['Once', 'Twice']) {
    const run = await bridge.run()
    run.say(text)
    await run.finish()
  }
  t.match(await (await other.get(first.stream_endpoint)).text(), /"Once"[^]*\[DONE\]/)
  t.match(await (await edge.get(first.stream_endpoint, { 'Last-Event-ID': '1:2' })).text(), /"ce"/, 'again, where it broke')
  const query = first.stream_endpoint.slice(first.stream_endpoint.indexOf('?'))
  for (const path of [`/stream/${first.correlation_id}`, `/stream/${second.correlation_id}${query}`, `/turns/${first.correlation_id}${query}`, `/conversations${query}`]) t.equal((await other.get(path)).status, 401, path)
  const { stream_endpoint } = (await (await other.get(`/turns/${second.correlation_id}`, bearer(key))).json()) as { stream_endpoint: string }
  t.match(await (await edge.get(stream_endpoint)).text(), /"Twice"/)
})

t.test('a ticket opens one WebSocket, whichever edges it is shown to at once', async (t) => {
  const { edges, keys } = await newCluster(t)
  const { key } = await keys('create', '--name', 'backend', '--acts-for-others')
  t.equal((await edges[0].post('/tickets', undefined, bearer(key))).status, 400, 'for nobody')
  const answer = await edges[0].post('/tickets', undefined, { ...bearer(key), 'X-User-Id': 'ann' })
  const { ticket } = (await answer.json()) as { ticket: string }
  const replies = await Promise.all(
    [...edges, ...edges].map(async ({ edge }) => {
      const socket = await openTestSocket({ port: edge.port, query: `?ticket=${ticket}` })
      t.teardown(() => socket.leave())
      return socket.hello()
    }),
  )
  t.equal(replies.filter((reply) => reply.type === 'welcome' && reply.user_id === 'ann').length, 1)
  t.equal(replies.filter((reply) => reply.type === 'error' && reply.code === 'unauthenticated').length, 3)
})

t.test('a rotation leaves the old secret for its overlap, and a revocation ends both everywhere, open connections too', async (t) => {
  const { edges, keys, pass } = await newCluster(t)
  const { id, key } = await keys('create', '--name', 'ann', '--user', 'ann')
  const { key: next } = await keys('rotate', id, '--overlap', '1h')
  const sockets = await Promise.all(
    edges.map(async ({ edge }) => {
      const socket = await openTestSocket({ port: edge.port })
      t.teardown(() => socket.leave())
      t.match(await socket.ask({ type: 'hello', token: next }), { type: 'welcome', user_id: 'ann' })
      return socket
    }),
  )
  for (const { get } of edges) for (const each of [key, next]) t.equal((await get('/conversations', bearer(each))).status, 200)
  await keys('revoke', id)
  pass(5_001)
  for (const { get } of edges) for (const each of [key, next]) t.equal((await get('/conversations', bearer(each))).status, 401)
  for (const socket of sockets) t.same(await socket.closed, { code: 4401, reason: 'unauthenticated' })
})
