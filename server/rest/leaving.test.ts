import t from 'tap'
import { newWorld } from '../../actors/testing/edges.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { ResumingReader } from '../testing/resuming-reader.ts'
import type { StreamListener, StreamSink } from '../http/stream-sink.ts'
import { startLiveEdge, type LiveEdge } from '../testing/live-edge.ts'
import { replyStream } from './reply-stream.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

const soon = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 10))

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await soon()
}

/** Asks, and goes away as soon as `gone` says so. */
async function askAndLeave(edge: LiveEdge, path: string, body: unknown, gone: () => Promise<unknown>): Promise<void> {
  const leaving = new AbortController()
  const asked = fetch(edge.url + path, { signal: leaving.signal, ...(body === null ? {} : { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(body) }) })
  const held = asked.then((answer) => answer.text()).catch(() => undefined)
  await gone()
  leaving.abort()
  await held
}

t.test('a turn that another edge owns is stopped too once its client was away for a minute, and not while somebody listens there', async (t) => {
  const world = await newWorld(t, postgres)
  const [owner, other] = [await startLiveEdge(t, world), await startLiveEdge(t, world, 'edge-2')]
  const bridge = world.bridge()
  const { conversation_id } = await (await owner.post('/conversations', { user_id: 'ann' })).json()
  // It is where it is first asked for.
  await owner.post('/stream-chat', { message: 'first', user_id: 'ann', conversation_id })
  await (await bridge.run()).finish()
  await askAndLeave(other, '/chat', { message: 'Hi', user_id: 'ann', conversation_id }, () => bridge.run())
  t.match([owner, other].map(({ actors }) => actors.runtime.counts().turns), [1, 0])
  // The owner's clock says how long nobody has listened, and the other's when to ask.
  const listener = new AbortController()
  const listening = fetch(`${owner.url}/chat`, { method: 'POST', signal: listener.signal, headers: { 'Content-Type': 'application/json' }, body: JSON.stringify({ message: 'And?', user_id: 'ann', conversation_id, stream: true }) })
  await listening
  owner.pass(61_000)
  for (let n = 0; n < 40; n += 1) {
    other.pass(2_000)
    await soon()
  }
  t.equal(owner.actors.runtime.counts().turns, 2, 'somebody listens')
  listener.abort()
  while (owner.actors.runtime.counts().turns > 0) {
    owner.pass(2_000)
    other.pass(2_000)
    await soon()
  }
  t.same([owner, other].map(({ actors }) => actors.runtime.counts().turns), [0, 0])
})

t.test('who left, and then asks another server under the same key for a reply to be read later, gets all of it', async (t) => {
  const world = await newWorld(t, postgres)
  const [edge, other] = [await startLiveEdge(t, world), await startLiveEdge(t, world, 'edge-2')]
  const bridge = world.bridge()
  const body = { message: 'Hi', user_id: 'ann', client_message_id: 'once' }
  await askAndLeave(edge, '/chat', body, () => bridge.run())
  const { status_url } = await (await other.post('/chat', body, { Prefer: 'respond-async' })).json()
  const stopped = { message: 'Ho', user_id: 'ann' }
  await askAndLeave(edge, '/chat', stopped, () => bridge.run())
  t.equal(edge.actors.runtime.counts().turns, 2)
  while (edge.actors.runtime.counts().turns > 1) {
    edge.pass(2_000)
    await soon()
  }
  t.match(await (await other.get(status_url)).json(), { status: 'running' })
})

t.test('clients that leave in every way leave nothing behind', async (t) => {
  const world = await newWorld(t, postgres)
  const [edge, other] = [await startLiveEdge(t, world), await startLiveEdge(t, world, 'edge-2')]
  const bridge = world.bridge()
  const unanswered = async (of: LiveEdge): Promise<number> => (await of.metric('chatterbot_http_open_requests', 'streaming')) + (await of.metric('chatterbot_http_open_requests', 'waiting'))
  const runs: Awaited<ReturnType<typeof bridge.run>>[] = []
  for (let n = 0; n < 5; n += 1) {
    const { stream_endpoint } = await (await edge.post('/stream-chat', { message: `${n}`, user_id: 'ann' })).json()
    runs.push(await bridge.run())
    for (const each of [edge, other]) await askAndLeave(each, stream_endpoint, null, () => soon())
    await askAndLeave(edge, '/chat', { message: `${n}`, user_id: 'ann', stream: n % 2 === 0 }, async () => runs.push(await bridge.run()))
  }
  await until(() => other.actors.runtime.counts().mirrors === 0 && edge.actors.runtime.counts().followers === 0)
  for (const run of runs) await run.finish()
  await until(() => edge.actors.runtime.counts().turns === 0)
  for (const each of [edge, other]) {
    while ((await unanswered(each)) > 0) await soon()
  }
  t.same([edge, other].map(({ actors }) => actors.runtime.counts().followers + actors.runtime.counts().mirrors), [0, 0])
})

t.test('the streams of a server that stops end unfinished, and go on at another', async (t) => {
  const world = await newWorld(t, postgres)
  const [edge, other] = [await startLiveEdge(t, world), await startLiveEdge(t, world, 'edge-2')]
  const bridge = world.bridge()
  const { correlation_id } = await (await edge.post('/stream-chat', { message: 'a story', user_id: 'ann' })).json()
  const run = await bridge.run()
  run.say('Once upon ')
  const stream = await edge.get(`/stream/${correlation_id}`)
  const drained = edge.edge.drain()
  const cut = await stream.text().catch((error: unknown) => error)
  t.type(cut, Error, 'the client sees that something is missing')
  await drained
  const reader = new ResumingReader(`${other.url}/stream/${correlation_id}`)
  const all = reader.read()
  await reader.until(() => reader.text === 'Once upon ')
  run.say('a time')
  await run.finish()
  await all
  t.equal(reader.text, 'Once upon a time')
})

t.test('a stream that has nothing to say says so now and then, and what comes together is one write', async (t) => {
  const written: string[] = []
  let ended = false
  const sink: StreamSink = { writable: true, write: (chunk) => void written.push(String(chunk)), end: () => (ended = true), cut: () => undefined }
  const turn = { userId: 'ann', conversationId: 1024, turnId: '01900000-0000-7000-8000-000000000001' }
  const never = { follow: () => new Promise<never>(() => undefined), turn: () => new Promise<never>(() => undefined) }
  const listener: StreamListener = replyStream({ service: never, turn, keepAliveMs: 10, resumes: true }).open(sink)
  await until(() => written.length >= 3)
  t.same(written.slice(0, 3), ['retry: 1000\n\n', ':\n\n', ':\n\n'])
  listener.closed()
  const { length } = written
  await new Promise((resolve) => setTimeout(resolve, 30))
  t.equal(written.length, length, 'nothing once its client has left')
  const message = { message_id: 3072, role: 'assistant' as const, content: 'Hi\n"you"', parent_id: 2048, turn_id: turn.turnId, created_at: '2026-01-01T00:00:00.000Z', attempt: 1, model: 'm', reason: 'stop' as const }
  const known = { message, usage: null, timing: { queue_ms: 0, ttft_ms: null, total_ms: 0 }, cached: false, costUsd: null }
  written.length = 0
  replyStream({ service: never, turn, known, keepAliveMs: 10_000, resumes: true }).open(sink)
  t.same(written, ['retry: 1000\n\n', 'id: 1:8\ndata: {"token": "Hi\\n\\"you\\"", "done": false}\n\nid: done\ndata: [DONE]\n\n'])
  t.ok(ended)
})
