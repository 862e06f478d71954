import { createServer, type AddressInfo } from 'node:net'
import { once } from 'node:events'
import t from 'tap'
import { verifyTranscript } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { connectClient, dataFolder, runStandalone, startListening, startStandalone } from './standalone-process.ts'

t.setTimeout(120_000)

t.test('a chat works from the first message on, and is all there after a restart', async (t) => {
  const engine = await startSimulatedVllm()
  t.teardown(() => engine.close())
  const env = { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url }
  const first = await startStandalone(t, env)
  const ready = await fetch(`${first.ready.url}/ready`)
  t.equal(ready.status, 200)
  t.same(await ready.json(), { ready: true, missing: [] })

  const client = connectClient(t, first.webSocketUrl, { userId: 'ann', subprotocol: 'chatterbot.v1.msgpack' })
  const conversation = await client.createConversation({ title: 'A talk' })
  await conversation.opened
  const texts: string[] = []
  for (const question of ['Hello? [[tokens=40]]', 'And more? [[tokens=120]] [[multibyte]]']) {
    const turn = conversation.send(question)
    let streamed = ''
    for await (const piece of turn) streamed += piece
    const reply = await turn.finished
    t.match(reply, { reason: 'stop', text: streamed })
    t.match(verifyTranscript(streamed, question), { ok: true })
    texts.push(question, streamed)
  }
  const other = connectClient(t, first.webSocketUrl, { userId: 'ben' })
  await t.rejects(other.openConversation(conversation.id).opened, { code: 'conversation_not_found' }, 'nobody else can open it')
  const metrics = await (await fetch(`${first.ready.url}/metrics`)).text()
  t.match(metrics, /chatterbot_commands_total\{type="message\.send".*\} 2/)
  const { code } = await first.stop()
  t.equal(code, 0)

  const second = await startStandalone(t, env)
  const again = connectClient(t, second.webSocketUrl, { userId: 'ann' })
  const { conversations } = await again.listConversations()
  t.match(conversations, [{ id: conversation.id, title: 'A talk' }])
  const reopened = again.openConversation(conversation.id)
  await reopened.opened
  t.same(reopened.snapshot().messages.map(({ text }) => text), texts)
  t.equal((await second.stop()).code, 0)
})

t.test('SIGTERM lets a reply under way finish, and it is stored', async (t) => {
  const engine = await startSimulatedVllm({ tokensPerSecond: 50 })
  t.teardown(() => engine.close())
  const env = { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url }
  const first = await startStandalone(t, env)
  const client = connectClient(t, first.webSocketUrl, { userId: 'ann' })
  const conversation = await client.createConversation()
  await conversation.opened
  const question = 'A long one [[tokens=100]]'
  const turn = conversation.send(question)
  for await (const piece of turn) if (piece !== '') break
  first.signal('SIGTERM')
  t.equal((await first.exited).code, 0)
  t.match(first.output(), /Stopping/)

  const second = await startStandalone(t, env)
  const again = connectClient(t, second.webSocketUrl, { userId: 'ann' })
  const reopened = again.openConversation(conversation.id)
  await reopened.opened
  const [, reply] = reopened.snapshot().messages
  t.match(reply, { role: 'assistant', reason: 'stop', attempt: 1 })
  t.match(verifyTranscript(reply?.text ?? '', question, { tokens: 100 }), { ok: true })
  t.equal(engine.requests.length, 1, 'it was generated once')
  await second.stop()
})

t.test('a second signal ends it at once', async (t) => {
  const engine = await startSimulatedVllm({ tokensPerSecond: 5 })
  t.teardown(() => engine.close())
  const running = await startStandalone(t, { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url })
  const client = connectClient(t, running.webSocketUrl)
  const conversation = await client.createConversation()
  await conversation.opened
  conversation.send('A very long one [[tokens=1000]]')
  await engine.until(() => engine.metrics.running === 1)
  running.signal('SIGINT')
  const again = setInterval(() => running.signal('SIGINT'), 600)
  t.same(await running.exited, { code: 130, signal: null })
  clearInterval(again)
})

t.test('every fault of the configuration is said at once, and the exit code is 78', async (t) => {
  const { code, output } = await runStandalone({ PORT: 'many', LOG_LEVEL: 'loud', CHATTERBOT_DATA: '/x', CHATTERBOT_ENGINE_URL: 'localhost' })
  t.equal(code, 78)
  for (const name of ['PORT', 'LOG_LEVEL', 'CHATTERBOT_DATA', 'CHATTERBOT_ENGINE_URL']) t.match(output, new RegExp(`- ${name}: `))
  t.match(output, /What to do: /)
  t.notMatch(output, / at .*\.js/, 'no stack')
  const cluster = await runStandalone({ NATS_URL: 'nats://127.0.0.1', CHATTERBOT_NODE_ID: 'a', REDIS_URL: 'redis://127.0.0.1' })
  t.equal(cluster.code, 78)
  t.match(cluster.output, /NATS_URL and REDIS_URL/)
})

t.test('a port that is taken, and a data folder in use, are said plainly', async (t) => {
  const taken = createServer().listen(0, '127.0.0.1')
  await once(taken, 'listening')
  const { port } = taken.address() as AddressInfo
  const folder = dataFolder(t)
  const blocked = await runStandalone({ PORT: String(port), CHATTERBOT_DATA_DIR: folder, CHATTERBOT_ENGINE_URL: 'http://127.0.0.1:1' })
  t.equal(blocked.code, 69)
  t.match(blocked.output, new RegExp(`Port ${port} of 127\\.0\\.0\\.1 is taken.*What to do: .*PORT=`, 's'))
  taken.close()

  const engine = await startSimulatedVllm()
  t.teardown(() => engine.close())
  const holder = await startStandalone(t, { CHATTERBOT_DATA_DIR: folder, CHATTERBOT_ENGINE_URL: engine.url })
  const second = await runStandalone({ CHATTERBOT_DATA_DIR: folder, CHATTERBOT_ENGINE_URL: engine.url })
  t.equal(second.code, 78)
  t.match(second.output, /uses the data folder .*What to do: Stop that process/s)
  await holder.stop()
})

t.test('a database that cannot be reached, and a damaged model, are said plainly', async (t) => {
  const away = await runStandalone({ DATABASE_URL: 'postgres://nobody:secret@127.0.0.1:1/none', CHATTERBOT_ENGINE_URL: 'http://127.0.0.1:1', LOG_LEVEL: 'info' })
  t.equal(away.code, 69)
  t.match(away.output, /database cannot be reached.*DATABASE_URL/s)
  t.notMatch(away.output, /secret/)
  const damaged = await runStandalone({ CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_MODEL_PATH: t.testdir({ 'model.gguf': 'not a model' }) + '/model.gguf' })
  t.equal(damaged.code, 78)
  t.match(damaged.output, /model\.gguf, but that file is damaged/)
})

t.test('an engine may come later: until then messages are accepted, and the server says what is missing', async (t) => {
  const engine = await startSimulatedVllm()
  t.teardown(() => engine.close())
  engine.faults.set([{ kind: 'refuse' }])
  const running = await startListening(t, { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: engine.url })
  const ready = await fetch(`${running.ready.url}/ready`)
  t.equal(ready.status, 503)
  t.match(await ready.json(), { ready: false, missing: [{ part: 'engine', reason: 'no engine answers' }] })
  const client = connectClient(t, running.webSocketUrl)
  const conversation = await client.createConversation()
  await conversation.opened
  const question = 'Is anybody there? [[tokens=20]]'
  const turn = conversation.send(question)
  t.match(await turn.accepted, { state: 'queued' })
  engine.faults.clear()
  t.match(verifyTranscript((await turn.finished).text, question, { tokens: 20 }), { ok: true })
  t.equal((await fetch(`${running.ready.url}/ready`)).status, 200)
  await running.stop()
})
