/** Calls of OpenAI's clients over real actors: bytes, who may, and what becomes of a call whose client leaves. */
import OpenAI from 'openai'
import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { startLiveEdge, type World } from '../testing/live-edge.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

const models = { models: () => Promise.resolve([{ id: 'small', max_tokens: 2048 }]) }
const chat = (text: string, more: object = {}) => ({ model: 'default', messages: [{ role: 'user', content: text }], ...more })

/** Answers the next turn with these pieces of text. */
async function answer(world: World, ...pieces: readonly string[]): Promise<void> {
  const run = await world.bridge().run()
  for (const text of pieces) run.say(text)
  await run.finish()
}

t.test('a stream has the bytes of OpenAI, and ends with [DONE] whatever happens', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { models })
  const bridge = world.bridge()
  const asked = edge.post('/v1/chat/completions', chat('hello', { stream: true, stream_options: { include_usage: true } }), { 'X-Client-Request-Id': 'mine' })
  const run = await bridge.run()
  t.same(run.granted.params, {})
  const response = await asked
  t.match(Object.fromEntries(response.headers), { 'content-type': 'text/event-stream; charset=utf-8', 'cache-control': 'no-store', 'x-client-request-id': 'mine', 'x-correlation-id': run.job.turnId })
  t.notOk(response.headers.has('x-conversation-id'), 'it is not kept')
  run.say('Hello "you"')
  await run.finish()
  const events = (await response.text()).split('\n\n').filter((event) => event !== ':')
  const head = `{"id":"chatcmpl-${run.job.turnId}","created":`
  for (const event of events.slice(0, -2)) t.ok(event.startsWith(`data: ${head}`), event)
  t.same(events.slice(-2), ['data: [DONE]', ''])
  const chunks = events.slice(0, -2).map((event) => JSON.parse(event.slice(6)) as Record<string, unknown>)
  t.same(chunks.flatMap((chunk) => chunk['choices']), [
    { index: 0, delta: { role: 'assistant', content: '' }, logprobs: null, finish_reason: null },
    { index: 0, delta: { content: 'Hello "you"' }, logprobs: null, finish_reason: null },
    { index: 0, delta: {}, logprobs: null, finish_reason: 'stop' },
  ])
  t.match(chunks.at(-1), { object: 'chat.completion.chunk', choices: [], system_fingerprint: null })
  t.ok(chunks.at(-1) !== undefined && 'usage' in (chunks.at(-1) as object))

  const failing = edge.post('/v1/completions', { model: 'small', prompt: 'Once', stream: true })
  const failed = await bridge.run()
  t.match(failed.granted, { params: { raw: true }, messages: [{ role: 'user', content: 'Once' }] })
  failed.say(' upon')
  await failed.finish({ type: 'failed', error: { code: 'engine_unavailable', message: 'No engine.', retryable: true } })
  const last = (await (await failing).text()).split('\n\n').slice(-3)
  t.same(last, ['data: {"error":{"message":"No engine.","type":"server_error","param":null,"code":"engine_unavailable"}}', 'data: [DONE]', ''])

  const whole = edge.post('/v1/completions', { model: 'small', prompt: 'Once' })
  await (await bridge.run()).finish({ type: 'failed', error: { code: 'context_too_long', message: 'Too long.', retryable: false } })
  t.equal((await whole).status, 400)
  t.match(await (await whole).json(), { error: { code: 'context_length_exceeded', type: 'invalid_request_error' } })
})

t.test('a call that is not kept stops when its client leaves; one that is kept, or can come again under its key, a minute later', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { models })
  const bridge = world.bridge()
  const { runtime } = edge.actors
  const leave = async (body: object, headers: Readonly<Record<string, string>> = {}): Promise<string> => {
    const leaving = new AbortController()
    const asked = fetch(`${edge.url}/v1/chat/completions`, { method: 'POST', signal: leaving.signal, headers: { 'Content-Type': 'application/json', ...headers }, body: JSON.stringify(body) })
    const held = asked.then((answer) => answer.text()).catch(() => undefined)
    const run = await bridge.run()
    if ('stream' in body) await asked
    leaving.abort()
    await held
    return run.job.turnId
  }
  const untilTurns = async (most: number): Promise<void> => {
    while (runtime.counts().turns > most) await new Promise((resolve) => setTimeout(resolve, 20))
  }
  const kept = [await leave(chat('kept', { store: true, stream: true })), await leave(chat('keyed'), { 'Idempotency-Key': 'k' })]
  const left = [await leave(chat('left', { stream: true })), await leave(chat('left'))]
  await untilTurns(2)
  t.same(bridge.aborted.toSorted(), left.toSorted())
  edge.pass(61_000)
  await untilTurns(0)
  t.same(bridge.aborted.toSorted(), [...left, ...kept].toSorted())
})

t.test('a call belongs to whom it names, and nobody else can go on with what it kept', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { models })
  const replies = answer(world, 'one')
  const first = await edge.post('/v1/chat/completions', chat('kept', { store: true, user: 'ann' }))
  await replies
  const { metadata } = (await first.json()) as { metadata: { conversation_id: string } }
  t.equal(first.headers.get('x-conversation-id'), metadata.conversation_id)
  const more = chat('more', { store: true, metadata })
  const foreign = await edge.post('/v1/chat/completions', more, { 'X-User-Id': 'bob' })
  const nothing = await edge.post('/v1/chat/completions', chat('more', { store: true, metadata: { conversation_id: '1024' } }), { 'X-User-Id': 'bob' })
  t.same([foreign.status, await foreign.json()], [nothing.status, await nothing.json()])
  t.equal(foreign.status, 404)
  t.equal((await edge.post('/v1/chat/completions', chat('more', { store: true, metadata: { conversation_id: '9999999999999999' } }), { 'X-User-Id': 'bob' })).status, 404, 'no id at all')
  const second = answer(world, 'two')
  t.match(await (await edge.post('/v1/chat/completions', { ...more, messages: [{ role: 'user', content: 'not what was said' }, { role: 'assistant', content: 'nor this' }, ...more.messages] }, { 'X-User-Id': 'ann' })).json(), { choices: [{ message: { content: 'two' } }] })
  await second
  const { messages } = (await (await edge.get(`/conversations/${metadata.conversation_id}/messages`, { 'X-User-Id': 'ann' })).json()) as { messages: { content: string }[] }
  t.same(messages.map(({ content }) => content), ['kept', 'one', 'more', 'two'], 'the history is what was stored')
  t.match(await (await edge.post('/v1/chat/completions', chat('x', { metadata }))).json(), { error: { param: 'metadata.conversation_id' } })
})

t.test('a repetition under the same key gets the same answer, calls of tools included', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { models })
  const tools = [{ type: 'function', function: { name: 'f' } }]
  const body = chat('call', { tools, parallel_tool_calls: false })
  const replies = (async () => {
    const run = await world.bridge().run()
    t.same(run.granted.params.stop, ['</tool_call>'])
    t.match(run.granted.system, /^# Tools/)
    run.say('<tool_call>{"name": "f", "arguments": {}}')
    await run.finish()
  })()
  const [one, two] = await Promise.all([0, 1].map(async () => (await edge.post('/v1/chat/completions', body, { 'Idempotency-Key': 'once' })).json() as Promise<{ id: string; choices: unknown[] }>))
  await replies
  const three = (await (await edge.post('/v1/chat/completions', body, { 'Idempotency-Key': 'once' })).json()) as typeof one
  t.match(one, { choices: [{ finish_reason: 'tool_calls', message: { content: null, tool_calls: [{ function: { name: 'f', arguments: '{}' } }] } }] })
  t.same([two?.choices, three?.choices], [one?.choices, one?.choices])
  t.same([two?.id, three?.id], [one?.id, one?.id])
  const other = await edge.post('/v1/chat/completions', chat('another'), { 'Idempotency-Key': 'once' })
  t.equal(other.status, 409)
  t.equal(other.headers.get('x-should-retry'), 'false', 'so that clients do not try in vain')
})

t.test('a key stands for one call: the same words kept, sampled otherwise or as a mere prompt are another', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { models })
  const key = { 'Idempotency-Key': 'once' }
  const replies = answer(world, 'one')
  t.equal((await edge.post('/v1/chat/completions', chat('Hi'), key)).status, 200)
  await replies
  const others = [
    edge.post('/v1/chat/completions', chat('Hi', { store: true }), key),
    edge.post('/v1/chat/completions', chat('Hi', { presence_penalty: 1 }), key),
    edge.post('/v1/completions', { model: 'default', prompt: 'Hi' }, key),
  ]
  t.same((await Promise.all(others)).map(({ status }) => status), [409, 409, 409])
})

t.test('a model that nobody serves is refused before anything is begun', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await startLiveEdge(t, world, 'edge-1', { models })
  const response = await edge.post('/v1/chat/completions', chat('x', { model: 'gpt-4', store: true }))
  t.equal(response.status, 404)
  t.match(await response.json(), { error: { code: 'model_not_found', param: 'model' } })
  t.match(await (await edge.get('/conversations', { 'X-User-Id': 'openai' })).json(), { conversations: [] })
})

t.test("a page of an allowed origin may use OpenAI's client for browsers", async (t) => {
  const world = await newWorld(t, postgres)
  const origin = 'https://app.example'
  const edge = await startLiveEdge(t, world, 'edge-1', { models, allowedOrigins: [origin] })
  const sent: string[] = []
  const client = new OpenAI({
    baseURL: `${edge.url}/v1`,
    apiKey: 'none',
    dangerouslyAllowBrowser: true,
    maxRetries: 0,
    fetch: (url, init) => {
      sent.push(...new Headers(init?.headers).keys())
      return fetch(url, { ...init, headers: { ...Object.fromEntries(new Headers(init?.headers)), origin } })
    },
  })
  const replies = answer(world, 'Hello')
  const reply = await client.chat.completions.stream({ model: 'default', messages: [{ role: 'user', content: 'hi' }] }).finalChatCompletion()
  await replies
  t.equal(reply.choices[0]?.message.content, 'Hello')
  const preflight = await fetch(`${edge.url}/v1/chat/completions`, { method: 'OPTIONS', headers: { Origin: origin, 'Access-Control-Request-Method': 'POST' } })
  const allowed = (preflight.headers.get('access-control-allow-headers') ?? '').toLowerCase().split(', ')
  t.same(sent.filter((name) => !['accept', 'user-agent', ...allowed].includes(name)), [])
})
