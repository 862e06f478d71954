import t from 'tap'
import { WebSocket } from 'undici'
import { newTurnId } from '../protocol/ids.ts'
import { ClientClosedError, createClient } from './client.ts'
import { Emitter } from './emitter.ts'
import { read, talk, untilState } from './testing/talk.ts'

t.test('events can be read as a stream, which is bounded', async (t) => {
  const { fake, conversation } = await talk(t)
  const stream = conversation.events()
  const left = conversation.events()
  await left.return?.()
  const turn = conversation.send('Hello')
  await turn.accepted
  fake.start()
  fake.say('Hi')
  const types: string[] = []
  for await (const event of stream) {
    types.push(event.type)
    if (event.type === 'turn.delta') break
  }
  t.strictSame(types, ['message.added', 'turn.queued', 'turn.started', 'turn.delta'])
  const slow = conversation.events()
  for (let i = 0; i < 1100; i++) fake.say('.')
  fake.finish()
  await turn.finished
  let readable = 0
  await t.rejects(async () => {
    for await (const event of slow) readable += event.type === 'turn.delta' ? 1 : 0
  }, { code: 'too_slow' })
  t.equal(readable, 1024)
  t.strictSame(await left.next(), { done: true, value: undefined })
})

t.test('closing fails whatever is unanswered, and is final', async (t) => {
  const { edge, client, conversation } = await talk(t)
  edge.verdict = () => 'ignore'
  const turn = conversation.send('Hello')
  const list = client.listConversations()
  const stop = conversation.stop(newTurnId(1))
  const unanswered = Promise.allSettled([turn.accepted, turn.finished, list, stop, read(turn)])
  client.close()
  client.close()
  for (const outcome of await unanswered) t.ok(outcome.status === 'rejected' && outcome.reason instanceof ClientClosedError)
  t.equal(client.state, 'closed')
  t.equal(client.error, null)
  t.equal(conversation.snapshot().status, 'closed')
  await t.rejects(client.connect(), ClientClosedError)
  await t.rejects(client.openConversation(conversation.id).opened, ClientClosedError)
  await edge.until(() => edge.connections.size === 0)
})

t.test('what a later server adds is ignored', async (t) => {
  const { edge, client, fake, conversation } = await talk(t)
  const [connection] = edge.connections
  connection?.sendRaw('{"type":"turn.juggled","turn_id":"x"}')
  connection?.sendRaw('{"type":"turn.delta","turn_id":"of nobody","attempt":1,"offset":9,"end":10,"text":"x","color":"red"}')
  connection?.sendRaw('{"type":"server.load","level":"busy","queue_depth":9,"eta_ms":5,"advice":"async","mood":"fine"}')
  await new Promise<void>((resolve) => {
    client.on('load', ({ level }) => level === 'busy' && resolve())
  })
  await conversation.send('Still there?').accepted
  t.equal(fake.turns.length, 1)
  t.equal(edge.dialled, 1)
})

t.test('while the server advises to come back later, text comes whole, on each connection', async (t) => {
  const { edge, client, conversation } = await talk(t)
  const paces = (): string[] => edge.commands.flatMap((command) => (command.type === 'pace.set' ? [command.pace] : []))
  edge.broadcast({ type: 'server.load', level: 'overloaded', queue_depth: 9, eta_ms: 30_000, advice: 'async' })
  await edge.untilCommand('pace.set')
  t.equal(client.pace, 'whole')
  edge.load = { level: 'overloaded', queue_depth: 9, eta_ms: 30_000, advice: 'async' }
  edge.cut()
  await edge.untilCommand('pace.set', 2)
  const since = edge.commands.findLastIndex(({ type }) => type === 'hello')
  await edge.until(() => edge.commands.slice(since).some(({ type }) => type === 'conversation.open'))
  t.same(edge.commands.slice(since, since + 3).map(({ type }) => type), ['hello', 'pace.set', 'conversation.open'])
  edge.broadcast({ type: 'server.load', level: 'normal', queue_depth: 0, eta_ms: 0, advice: 'stream' })
  await edge.untilCommand('pace.set', 3)
  t.same(paces(), ['whole', 'whole', 'live'])
  await conversation.send('Still there?').accepted

  const patient = createClient({ url: edge.url, WebSocket, pace: 'whole' })
  t.teardown(() => patient.close())
  await patient.connect()
  await edge.untilCommand('pace.set', 4)
  edge.broadcast({ type: 'server.load', level: 'busy', queue_depth: 3, eta_ms: 5_000, advice: 'stream' })
  await new Promise<void>((resolve) => {
    patient.on('load', ({ level }) => level === 'busy' && resolve())
  })
  t.same([paces().length, patient.pace], [4, 'whole'], 'who has chosen stays with it')
})

t.test('a server that speaks nonsense is left for good', async (t) => {
  const { edge, client } = await talk(t)
  ;[...edge.connections][0]?.sendRaw('nonsense')
  await untilState(client, 'closed')
  t.match(client.error, { code: 'bad_frame' })
})

t.test('a listener that throws keeps nobody else from hearing, and its error is reported', async (t) => {
  const emitter = new Emitter<{ news: string }>()
  const heard: string[] = []
  const reported: (() => void)[] = []
  emitter.on('news', () => {
    throw new Error('a fault of the page')
  })
  const stop = emitter.on('news', (news) => heard.push(news))
  const { queueMicrotask } = globalThis
  globalThis.queueMicrotask = (report) => reported.push(report)
  emitter.emit('news', 'one')
  stop()
  emitter.emit('news', 'two')
  globalThis.queueMicrotask = queueMicrotask
  t.strictSame(heard, ['one'])
  t.equal(reported.length, 2)
  for (const report of reported) t.throws(report, { message: 'a fault of the page' })
})

t.test('without a WebSocket anywhere the client says so', async (t) => {
  t.throws(() => createClient({ url: 'ws://127.0.0.1/ws' }), TypeError)
})
