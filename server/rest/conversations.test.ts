import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { newWorld } from '../../actors/testing/edges.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { allPermissions, nobody } from '../auth/authenticator.ts'
import { startLiveEdge } from '../testing/live-edge.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

function nextOf(answer: Response): string {
  return /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1] ?? ''
}

t.test('conversations are listed by page, looked at, renamed and deleted, by whom they belong to', async (t) => {
  const edge = await startLiveEdge(t, await newWorld(t, postgres))
  const ids: number[] = []
  for (const title of ['one', 'two', 'three']) ids.push((await (await edge.post('/conversations', { user_id: 'ann', title })).json()).conversation_id)
  const first = await edge.get('/conversations?limit=2&user_id=ann')
  const { conversations, has_more } = await first.json()
  t.match([conversations, has_more], [[{ conversation_id: ids[2], title: 'three' }, { conversation_id: ids[1] }], true])
  const last = await edge.get(nextOf(first))
  t.match(await last.json(), { conversations: [{ conversation_id: ids[0] }], has_more: false })
  t.equal(last.headers.get('link'), null)

  const path = `/conversations/${ids[0]}`
  const ask = (method: string, headers: Readonly<Record<string, string>> = {}, body?: unknown): Promise<Response> =>
    fetch(edge.url + path, { method, headers: { 'Content-Type': 'application/json', ...headers }, ...(body === undefined ? {} : { body: JSON.stringify(body) }) })
  t.match(await (await ask('GET')).json(), { conversation_id: ids[0], title: 'one' })
  t.match(await (await ask('PATCH', {}, { title: 'uno' })).json(), { conversation_id: ids[0], title: 'uno', updated_at: /\d\dZ$/ })
  t.match(await (await ask('GET', { 'X-User-Id': 'ann' })).json(), { title: 'uno' })
  for (const [method, body] of [['GET'], ['PATCH', { title: 'x' }], ['DELETE']] as const) {
    t.match(await (await ask(method, { 'X-User-Id': 'bob' }, body)).json(), { status: 404, code: 'conversation_not_found' }, method)
  }
  t.equal((await ask('DELETE')).status, 204)
  t.match(await (await ask('DELETE')).json(), { status: 404, code: 'conversation_not_found' })
  t.match(await (await ask('GET')).json(), { status: 404, code: 'conversation_not_found' })
})

t.test('a repeated request for a conversation makes one, and messages come by page, once as long as they stay', async (t) => {
  const edge = await startLiveEdge(t, await newWorld(t, postgres))
  const key = { 'Idempotency-Key': 'a' }
  const ids = [await edge.post('/conversations', { user_id: 'ann' }, key), await edge.post('/conversations', { user_id: 'ann' }, key)]
  const [made, again] = await Promise.all(ids.map((answer) => answer.json()))
  t.equal(made.conversation_id, again.conversation_id)
  t.match(await (await edge.post('/conversations', { user_id: 'ann', title: 'other' }, key)).json(), { status: 409, code: 'idempotency_conflict' })

  const said = Array.from({ length: 5 }, (_, n) => `message ${n}`)
  const begun = await edge.post('/stream-chat', { user_id: 'ann', message: 'and now', context: said })
  const path = `/conversations/${begun.headers.get('x-conversation-id')}/messages`
  const newest = await edge.get(`${path}?limit=4`)
  const page = await newest.json()
  t.same(page.messages.map(({ role, content }: { role: string; content: string }) => [role, content]), [['user', 'message 2'], ['assistant', 'message 3'], ['user', 'message 4'], ['user', 'and now']])
  const older = await edge.get(nextOf(newest))
  t.match(await older.json(), { messages: [{ content: 'message 0' }, { content: 'message 1' }] })
  t.equal(older.headers.get('link'), null)

  const etag = newest.headers.get('etag') ?? ''
  for (const header of [etag, `W/${etag}`, `"x", ${etag}`, '*']) {
    const unchanged = await edge.get(`${path}?limit=4`, { 'If-None-Match': header })
    t.match([unchanged.status, unchanged.headers.get('etag'), await unchanged.text()], [304, etag, ''], header)
  }
  t.equal((await edge.get(`${path}?limit=4`, { 'If-None-Match': '"x"' })).status, 200)
  t.equal((await edge.get(`${path}?limit=201`)).status, 400)
  t.match(await (await edge.get(path, { 'X-User-Id': 'bob' })).json(), { status: 404, code: 'conversation_not_found' })
})

t.test('a conversation is exported whole, as fast as it is taken, and leaves nothing open', async (t) => {
  const edge = await startLiveEdge(t, await newWorld(t, postgres))
  const context = Array.from({ length: 700 }, (_, n) => `${n} ${'x'.repeat(1_400)}`)
  const begun = await edge.post('/stream-chat', { user_id: 'ann', message: 'and now', context })
  const path = `/conversations/${begun.headers.get('x-conversation-id')}/export`
  const whole = await edge.get(path)
  t.equal(whole.headers.get('content-type'), 'application/x-ndjson')
  const lines = (await whole.text()).trimEnd().split('\n').map((line) => JSON.parse(line))
  t.same(lines.map(({ content }) => content), [...context, 'and now'])
  t.equal(lines[1].parent_id, lines[0].message_id)
  const exports = async (): Promise<void> => {
    for (let n = 0; n < 8; n += 1) {
      const left = await edge.get(path)
      await left.body?.cancel()
      t.equal((await fetch(edge.url + path, { method: 'HEAD' })).status, 200)
    }
  }
  // More than may be open at a time, so that one that stayed open would be noticed.
  await exports()
  await exports()
  t.equal((await (await edge.get(path)).text()).length > 700 * 1_400, true)
  t.match(await (await edge.get(path, { 'X-User-Id': 'bob' })).json(), { status: 404, code: 'conversation_not_found' })
})

t.test('where credentials are needed, whose they are is the user, and the address of a stream bears a ticket for it', async (t) => {
  const world = await newWorld(t, postgres)
  const ann = { ...nobody, userId: 'ann', permissions: allPermissions }
  const edge = await startLiveEdge(t, world, 'edge-1', {
    authenticator: {
      isRequired: true,
      authenticate: ({ token }) => (token === 'secret' ? Promise.resolve(ann) : Promise.reject(new ChatError('unauthenticated'))),
      holdingKeys: (ids) => Promise.resolve(new Set(ids)),
    },
  })
  const bridge = world.bridge()
  const bearer = { Authorization: 'Bearer secret' }
  t.equal((await edge.post('/stream-chat', { message: 'Hi' })).status, 401)
  t.equal((await edge.post('/stream-chat', { message: 'Hi', user_id: 'bob' }, bearer)).status, 403)
  const { correlation_id, stream_endpoint } = await (await edge.post('/stream-chat', { message: 'Hi' }, bearer)).json()
  const run = await bridge.run()
  run.say('Hello')
  await run.finish()
  t.match(await (await edge.get(stream_endpoint)).text(), /"token": "Hello"/)
  t.equal((await edge.get(`/stream/${correlation_id}`)).status, 401)
  const { stream_endpoint: another } = await (await edge.post('/stream-chat', { message: 'Hi' }, bearer)).json()
  t.equal((await edge.get(another.replace(/^\/stream\/[^?]+/, `/stream/${correlation_id}`))).status, 401, 'a ticket is for one stream')
})
