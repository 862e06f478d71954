import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { startLiveEdge, type World } from '../testing/live-edge.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** Answers the next turns, each with these pieces of text. */
async function answer(world: World, ...replies: readonly (readonly string[])[]): Promise<void> {
  const bridge = world.bridge()
  for (const pieces of replies) {
    const run = await bridge.run()
    for (const text of pieces) run.say(text)
    await run.finish()
  }
}

t.test('the endpoints of the specification do to the letter what it says', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const created = await edge.post('/conversations', { user_id: 'user123', title: 'Physics Discussion' })
  const conversation = await created.json()
  t.equal(created.status, 200)
  t.match(conversation, { conversation_id: Number, title: 'Physics Discussion', created_at: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ })
  t.same(Object.keys(conversation), ['conversation_id', 'title', 'created_at'])

  const replies = answer(world, ['Relativity refers to', '...'], ['Once', ' upon'])
  const chat = await edge.post('/chat', { message: 'Explain relativity', user_id: 'user123', context: [], stream: false })
  const said = await chat.json()
  t.equal(chat.headers.get('content-type'), 'application/json')
  t.match(said, { response: 'Relativity refers to...', conversation_id: Number, processing_time: Number })
  t.ok(said.processing_time > 0 && said.processing_time < 30, 'in seconds')
  t.same(Object.keys(said), ['response', 'conversation_id', 'processing_time'])
  t.match(chat.headers.get('x-correlation-id'), /^[0-9a-f-]{36}$/)
  t.equal(chat.headers.get('x-finish-reason'), 'stop')

  const begun = await (await edge.post('/stream-chat', { message: 'Tell me about quantum physics', user_id: 'user123', context: [], stream: true })).json()
  t.match(begun, { status: 'streaming', correlation_id: /^[0-9a-f-]{36}$/, stream_endpoint: `/stream/${begun.correlation_id}` })
  t.same(Object.keys(begun), ['status', 'correlation_id', 'stream_endpoint'])
  const stream = await edge.get(begun.stream_endpoint)
  t.equal(stream.headers.get('content-type'), 'text/event-stream; charset=utf-8')
  const lines = (await stream.text()).split('\n').filter((line) => line.startsWith('data: '))
  t.equal(lines.at(-1), 'data: [DONE]')
  const events = lines.slice(0, -1)
  for (const line of events) t.match(line, /^data: \{"token": "[^"]+", "done": false\}$/)
  t.equal(events.map((line) => JSON.parse(line.slice(6)).token).join(''), 'Once upon')
  await replies

  const history = await edge.get(`/conversations/${said.conversation_id}/messages`)
  const messages = await history.json()
  t.match(messages, {
    conversation_id: said.conversation_id,
    messages: [
      { id: Number, role: 'user', content: 'Explain relativity', timestamp: /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/ },
      { id: Number, role: 'assistant', content: 'Relativity refers to...', timestamp: /Z$/ },
    ],
  })
  t.same(Object.keys(messages), ['conversation_id', 'messages'])
  t.same(Object.keys(messages.messages[0]), ['id', 'role', 'content', 'timestamp'])
})

t.test('what was said before begins the conversation, and a conversation goes on where it is named', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const bridge = world.bridge()
  const asked = edge.post('/chat', { message: 'And now?', user_id: 'ann', context: ['Hi', { role: 'assistant', content: 'Hello' }, 'How are you?', 'Well.'] })
  const run = await bridge.run()
  t.same(run.granted.messages.map(({ role, content }) => [role, content]), [['user', 'Hi'], ['assistant', 'Hello'], ['user', 'How are you?'], ['assistant', 'Well.'], ['user', 'And now?']])
  run.say('Fine')
  await run.finish()
  const { conversation_id } = await (await asked).json()
  const replies = answer(world, ['Sure'])
  t.match(await (await edge.post('/chat', { message: 'Go on', conversation_id }, { 'X-User-Id': 'ann' })).json(), { response: 'Sure', conversation_id })
  await replies
  const refused = await edge.post('/chat', { message: 'Go on', conversation_id, user_id: 'ann', context: ['Hi'] })
  t.match([refused.status, await refused.json()], [400, { code: 'invalid_field', errors: [{ pointer: '/context' }] }])
  t.match(await (await edge.post('/chat', { message: 'Go on', conversation_id, user_id: 'bob' })).json(), { status: 404, code: 'conversation_not_found' })
  t.match(await (await edge.post('/chat', { message: 'Go on' })).json(), { status: 400, code: 'invalid_field' })
  t.match(await (await edge.post('/chat', { message: 'Go on', user_id: 'bob' }, { 'X-User-Id': 'ann' })).json(), { status: 403, code: 'forbidden' }, 'of two users')
})

t.test('a request sent twice under one key is answered once, whichever form the second takes', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const key = { 'Idempotency-Key': 'k'.repeat(200) }
  const body = { message: 'Hi', user_id: 'ann' }
  const begun = await (await edge.post('/stream-chat', body, key)).json()
  const replies = answer(world, ['Hello'])
  const first = await edge.post('/chat', body, key)
  const said = await first.json()
  await replies
  t.equal(first.headers.get('x-correlation-id'), begun.correlation_id)
  t.match(await (await edge.post('/chat', body, key)).json(), { response: 'Hello', conversation_id: said.conversation_id })
  t.match(await (await edge.post('/chat', { ...body, stream: true }, key)).text(), /"token": "Hello"[^]*\[DONE\]/)
  t.match(await (await edge.post('/chat', { ...body, message: 'Ho' }, key)).json(), { status: 409, code: 'idempotency_conflict' })
  const others = await (await edge.post('/stream-chat', { ...body, user_id: 'bob' }, key)).json()
  t.equal(others.status, 'streaming')
  t.not(others.correlation_id, begun.correlation_id, 'a key is one user\'s')
})

t.test('a stream that broke goes on at the next character, on any edge, and ends for good once the end was read', async (t) => {
  const world = await newWorld(t, postgres)
  const [edge, other] = [await startLiveEdge(t, world), await startLiveEdge(t, world, 'edge-2')]
  const bridge = world.bridge()
  const { correlation_id } = await (await edge.post('/stream-chat', { message: 'a story', user_id: 'ann' })).json()
  const run = await bridge.run()
  run.say('Once upon')
  const reader = (await edge.get(`/stream/${correlation_id}`)).body?.pipeThrough(new TextDecoderStream()).getReader()
  let read = ''
  while (!read.includes('"done"')) read += (await reader?.read())?.value ?? ''
  t.match(read, /^retry: 1000\n\nid: 1:9\ndata: {"token": "Once upon", "done": false}\n\n$/)
  await reader?.cancel()
  run.say(' a "time"\n')
  const rest = other.get(`/stream/${correlation_id}`, { 'Last-Event-ID': '1:9' }).then((answer) => answer.text())
  run.say('😀')
  await run.finish()
  const events = (await rest).split('\n\n')
  t.equal(events.filter((event) => event.startsWith('id: 1:')).map((event) => JSON.parse(event.split('data: ')[1] ?? '').token).join(''), ' a "time"\n😀')
  t.equal(events.at(-2), 'id: done\ndata: [DONE]')
  for (const { get } of [edge, other]) {
    t.equal((await get(`/stream/${correlation_id}`, { 'Last-Event-ID': 'done' })).status, 204)
    t.equal(await (await get(`/stream/${correlation_id}`, { 'Last-Event-ID': '1:21' })).text(), 'retry: 1000\n\nid: done\ndata: [DONE]\n\n')
    t.match(await (await get(`/stream/${correlation_id}`)).text(), 'id: 1:21\ndata: {"token": "Once upon a \\"time\\"\\n😀", "done": false}\n\n')
    t.match(await (await get(`/stream/${correlation_id}`, { 'Last-Event-ID': '2:3' })).text(), 'event: error\ndata: {"token": "", "done": true, "error": {"code":"reply_restarted"')
    t.equal((await get(`/stream/${correlation_id}`, { 'Last-Event-ID': '1:9\t' })).status, 200)
    t.equal((await get(`/stream/${correlation_id}`, { 'Last-Event-ID': 'x' })).status, 400)
    t.match(await (await get(`/stream/${correlation_id}`, { 'X-User-Id': 'bob' })).json(), { status: 404, code: 'turn_not_found' })
  }
})

t.test('a turn that fails says so in each form', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const bridge = world.bridge()
  const body = { message: 'Hi', user_id: 'ann' }
  const key = { 'Idempotency-Key': 'k' }
  const waiting = edge.post('/chat', body, key)
  const run = await bridge.run()
  run.say('Well')
  await run.finish({ type: 'failed', error: { code: 'context_too_long', message: 'Too long.', retryable: false } })
  const answer = await waiting
  t.match([answer.status, answer.headers.get('content-type'), await answer.json()], [400, 'application/problem+json', { code: 'context_too_long', retryable: false }])
  const id = answer.headers.get('x-correlation-id')
  t.match(await (await edge.get(`/stream/${id}`)).text(), /"token": "Well", "done": false}\n\nevent: error\ndata: {"token": "", "done": true, "error": {"code":"context_too_long",.*\n\nid: done\ndata: \[DONE\]\n\n$/)
  t.match(await (await edge.get(`/turns/${id}`)).json(), { status: 'failed', response: 'Well', error: { code: 'context_too_long' } })
})

t.test('who would rather come back is told where, and a turn can be looked at and stopped', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const bridge = world.bridge()
  const key = { 'Idempotency-Key': 'k' }
  const answer = await edge.post('/chat', { message: 'Hi', user_id: 'ann' }, { Prefer: 'respond-async', ...key })
  const { correlation_id, status_url, stream_endpoint } = await answer.json()
  t.match([answer.status, ...['preference-applied', 'location'].map((name) => answer.headers.get(name))], [202, 'respond-async', status_url])
  t.match(await (await edge.get(status_url)).json(), { correlation_id, status: 'queued', response: null, stream_endpoint })
  const run = await bridge.run()
  const late = await edge.post('/chat', { message: 'And?', user_id: 'ann', conversation_id: (await (await edge.get(status_url)).json()).conversation_id }, { Prefer: 'wait=0' })
  t.match([late.status, late.headers.get('preference-applied')], [202, 'wait=0'])
  run.say('Hello there')
  const shown = await edge.get(stream_endpoint)
  const reader = shown.body?.pipeThrough(new TextDecoderStream()).getReader()
  let read = ''
  while (!read.includes('Hello there')) read += (await reader?.read())?.value ?? ''
  const stopped = await fetch(edge.url + status_url, { method: 'DELETE' })
  t.equal(stopped.status, 204)
  t.match(await (await edge.get(status_url)).json(), { status: 'finished', reason: 'stopped', response: 'Hello there', usage: null })
  const whole = await edge.post('/chat', { message: 'Hi', user_id: 'ann' }, key)
  t.match([whole.headers.get('x-finish-reason'), await whole.json()], ['stopped', { response: 'Hello there' }])
  await reader?.cancel()
  t.equal((await fetch(edge.url + status_url, { method: 'DELETE' })).status, 204, 'again')
  t.equal((await fetch(`${edge.url}/turns/${correlation_id}`, { method: 'DELETE', headers: { 'X-User-Id': 'bob' } })).status, 404)
})

t.test('a client that leaves has a minute to come back, and then its turn is stopped; nothing else is', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world)
  const bridge = world.bridge()
  const { runtime } = edge.actors
  const leave = async (stream: boolean, key: string): Promise<void> => {
    const leaving = new AbortController()
    const asked = fetch(`${edge.url}/chat`, { method: 'POST', signal: leaving.signal, headers: { 'Content-Type': 'application/json', 'Idempotency-Key': key }, body: JSON.stringify({ message: 'Hi', user_id: 'ann', stream }) })
    const held = asked.then((answer) => answer.text()).catch(() => undefined)
    await bridge.run()
    if (stream) await asked
    leaving.abort()
    await held
  }
  await leave(false, 'a')
  await leave(true, 'b')
  const kept = await (await edge.post('/chat', { message: 'Hi', user_id: 'ann' }, { Prefer: 'respond-async', 'Idempotency-Key': 'c' })).json()
  await bridge.run()
  const repetition = await edge.post('/chat', { message: 'Hi', user_id: 'ann', stream: true }, { 'Idempotency-Key': 'c' })
  await repetition.body?.cancel()
  const returned = await edge.post('/chat', { message: 'Hi', user_id: 'ann', stream: true }, { 'Idempotency-Key': 'b' })
  t.equal(runtime.counts().turns, 3)
  edge.pass(61_000)
  while (runtime.counts().turns > 2) await new Promise((resolve) => setTimeout(resolve, 20))
  const stopped = await (await edge.post('/chat', { message: 'Hi', user_id: 'ann' }, { 'Idempotency-Key': 'a' })).json()
  t.match(stopped, { response: '' }, 'and is told so when it comes back after all')
  t.match(await (await edge.get(kept.status_url)).json(), { status: 'running' })
  await returned.body?.cancel()
  while (runtime.counts().turns > 1) {
    edge.pass(1_000)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  t.match(await (await edge.get(kept.status_url)).json(), { status: 'running' }, 'its client had left at once')
})
