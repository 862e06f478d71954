import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import type { ServerMessage } from '../../protocol/websocket/messages.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import { scriptedService, turnId } from '../testing/scripted-service.ts'
import { startTestEdge } from '../testing/test-edge.ts'
import { testLimits } from '../testing/test-limits.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { opcodes } from '../testing/test-socket.ts'

const send = { type: 'message.send', conversation_id: 1024, client_message_id: 'a', text: 'Hello' }
const open = { type: 'conversation.open', conversation_id: 1024 }
const code = (message: ServerMessage): string => (message.type === 'error' ? message.code : message.type)
/** Both subprotocols, each on a connection of its own. */
const protocols = ['chatterbot.v1.json', 'chatterbot.v1.msgpack'] as const

const holdingKeys = (ids: readonly string[]) => Promise.resolve(new Set(ids))

t.test('every command gets its one reply, in both subprotocols', async (t) => {
  const edge = await startTestEdge(t)
  for (const protocol of protocols) {
    const socket = await edge.connect({ protocols: [protocol] })
    t.equal(socket.protocol, protocol)
    t.match(await socket.hello('anna'), {
      type: 'welcome',
      user_id: 'anna',
      node_id: 'test',
      limits: { frame_bytes: 262_144, text_bytes: 32_768, frames_per_second: 1000, unanswered_commands: 64, open_conversations: 32, waiting_turns: 4 },
      load: { level: 'normal', advice: 'stream' },
    })
    const replies = await Promise.all(
      [
        { type: 'ping' },
        { type: 'conversation.create', title: 'A title' },
        { type: 'conversation.list' },
        open,
        { type: 'history.get', conversation_id: 1024 },
        send,
        { ...send, type: 'message.edit', message_id: 2048 },
        { type: 'turn.regenerate', conversation_id: 1024, message_id: 3072, client_message_id: 'b' },
        { type: 'turn.stop', turn_id: turnId },
        { type: 'auth.refresh', token: 'anything' },
        { type: 'conversation.close', conversation_id: 1024 },
      ].map((command) => socket.ask(command)),
    )
    t.same(replies.map(code), [
      'pong', 'conversation.created', 'conversations', 'conversation.opened', 'history', 'message.accepted', 'message.accepted', 'message.accepted',
      'turn.stopped', 'auth.refreshed', 'conversation.closed',
    ])
    t.same(socket.messages, [], 'and nothing else')
  }
})

t.test('a client that offers no subprotocol speaks JSON, and a command without a ref is answered without one', async (t) => {
  const edge = await startTestEdge(t)
  const socket = await edge.connect()
  t.equal(socket.protocol, '')
  socket.send({ type: 'hello' })
  const welcome = await socket.next()
  t.match(welcome, { type: 'welcome', user_id: /^[0-9a-f-]{36}$/ }, 'somebody new')
  t.notOk('ref' in welcome)
  t.equal((await socket.ask({ type: 'ping' })).type, 'pong')
})

t.test('commands sent together with hello wait for the welcome', async (t) => {
  const edge = await startTestEdge(t)
  const socket = await edge.connect()
  for (const command of [{ type: 'hello', user_id: 'anna' }, { type: 'conversation.list', ref: 1 }, { type: 'ping', ref: 2 }]) socket.send(command)
  t.equal((await socket.next()).type, 'welcome')
  t.same(new Set([(await socket.next()).type, (await socket.next()).type]), new Set(['conversations', 'pong']))
})

t.test('without an identity the connection ends, and the close code says whether to come again', async (t) => {
  const answers = [new ChatError('unauthenticated'), new ChatError('forbidden'), new ChatError('unavailable'), new Error('a bug')]
  const edge = await startTestEdge(t, { authenticator: { isRequired: true, authenticate: () => Promise.reject(answers.shift() ?? new Error('script ended')), holdingKeys } })
  for (const [code, closeCode] of [['unauthenticated', 4401], ['forbidden', 4403], ['unavailable', 1012], ['internal', 1012]]) {
    const socket = await edge.connect()
    t.match(await socket.hello(), { type: 'error', code })
    t.same(await socket.closed, { code: closeCode, reason: code })
  }
})

t.test('a first command that is not hello closes with 4400', async (t) => {
  const edge = await startTestEdge(t)
  for (const command of [{ type: 'ping' }, { type: 'no.such.thing' }, send]) {
    const socket = await edge.connect()
    socket.send(command)
    t.match(await socket.next(), { type: 'error', code: 'hello_expected' })
    t.same(await socket.closed, { code: 4400, reason: 'hello_expected' })
  }
})

t.test('no hello within 10 s closes with 4408, also while credentials are looked at', async (t) => {
  const edge = await startTestEdge(t, { authenticator: { isRequired: true, authenticate: () => new Promise(() => {}), holdingKeys } })
  const silent = await edge.connect()
  const greeting = await edge.connect()
  greeting.send({ type: 'hello' })
  edge.pass(limits.helloTimeoutMs)
  t.match(await silent.next(), { code: 'hello_timeout' })
  t.same(await silent.closed, { code: 4408, reason: 'hello_timeout' })
  t.equal((await greeting.closed).code, 4408)
})

t.test('a second hello is refused, and the connection goes on', async (t) => {
  const edge = await startTestEdge(t)
  const socket = await edge.join()
  t.equal(code(await socket.hello()), 'hello_repeated')
  t.equal(code(await socket.ask({ type: 'ping' })), 'pong')
})

t.test('a bad command is refused with its code and the field at fault, and the connection goes on', async (t) => {
  const edge = await startTestEdge(t)
  for (const protocol of protocols) {
    const socket = await edge.join({ protocols: [protocol] })
    t.match(await socket.ask({ type: 'no.such.thing' }), { code: 'unknown_type', retryable: false })
    t.match(await socket.ask({ no: 'type' }), { code: 'invalid_field', pointer: '/type' })
    t.match(await socket.ask({ ...send, conversation_id: 'x' }), { code: 'invalid_field', pointer: '/conversation_id' })
    t.match(await socket.ask({ ...send, conversation_id: -1 }), { code: 'invalid_field', pointer: '/conversation_id' })
    t.match(await socket.ask({ ...send, client_message_id: 'x'.repeat(65) }), { code: 'invalid_field', pointer: '/client_message_id' })
    t.match(await socket.ask({ ...send, params: { temperature: 9 } }), { code: 'invalid_field', pointer: '/params/temperature' })
    t.match(await socket.ask({ ...send, text: '' }), { code: 'text_empty', pointer: '/text' })
    t.match(await socket.ask({ ...send, text: 'x'.repeat(32_769) }), { code: 'text_too_long' })
    t.match(await socket.ask({ ...send, text: 'a\0b' }), { code: 'text_not_well_formed' })
    t.match(await socket.ask({ ...open, conversation_id: 5_000_000 }), { code: 'conversation_not_found' }, 'somebody else\'s')
    t.match(await socket.ask({ type: 'conversation.close', conversation_id: 1024 }), { code: 'conversation_not_open' })
    t.match(await socket.ask({ ...send, more: 'fields', '__proto__x': 1 }), { type: 'message.accepted' }, 'unknown fields are ignored')
  }
  t.equal(await edge.metric('chatterbot_command_errors_total', 'code="text_empty"'), 2)
})

t.test('what is no frame of the subprotocol gets an error and closes with 4400', async (t) => {
  const edge = await startTestEdge(t)
  const cases: readonly [typeof protocols[number], number, Buffer | string][] = [
    ['chatterbot.v1.json', opcodes.text, '{"type":'],
    ['chatterbot.v1.json', opcodes.text, '[]'],
    ['chatterbot.v1.json', opcodes.text, 'null'],
    ['chatterbot.v1.json', opcodes.text, '42'],
    ['chatterbot.v1.json', opcodes.text, ''],
    ['chatterbot.v1.json', opcodes.text, '['.repeat(100_000)],
    ['chatterbot.v1.json', opcodes.text, `{"type":"ping","x":${'['.repeat(1000)}${']'.repeat(1000)}}`],
    ['chatterbot.v1.json', opcodes.binary, '{"type":"ping"}'],
    ['chatterbot.v1.msgpack', opcodes.text, '{"type":"ping"}'],
    ['chatterbot.v1.msgpack', opcodes.binary, Buffer.from([0x81, 0xa4])],
    ['chatterbot.v1.msgpack', opcodes.binary, Buffer.from([0xc1])],
    ['chatterbot.v1.msgpack', opcodes.binary, Buffer.from([0xdd, 0xff, 0xff, 0xff, 0xff])],
    ['chatterbot.v1.msgpack', opcodes.binary, Buffer.from([0x81, 0xa4, 0x74, 0x79, 0x70, 0x65, 0xa2, 0xff, 0xfe])],
  ]
  for (const [protocol, opcode, payload] of cases) {
    const socket = await edge.join({ protocols: [protocol] })
    socket.sendFrame(opcode, payload)
    t.match(await socket.next(), { type: 'error', code: 'bad_frame' })
    t.same(await socket.closed, { code: 4400, reason: 'bad_frame' })
  }
  t.same(edge.faults, [])
})

t.test('a text frame of invalid UTF-8 ends the connection', async (t) => {
  const edge = await startTestEdge(t)
  const socket = await edge.join()
  socket.sendFrame(opcodes.text, Buffer.from([0x7b, 0xff, 0xfe, 0x7d]))
  t.equal((await socket.closed).code, 1006, 'by the library, without a close frame')
  t.equal((await (await edge.join()).ask({ type: 'ping' })).type, 'pong')
})

t.test('a frame above 256 KiB closes with 1009, also in parts, and a far larger one is cut', async (t) => {
  const edge = await startTestEdge(t)
  const tooBig = JSON.stringify({ type: 'ping', padding: 'x'.repeat(limits.frameBytes) })
  for (const parts of [1, 3]) {
    const socket = await edge.join()
    const bytes = Buffer.from(tooBig)
    const size = Math.ceil(bytes.length / parts)
    for (let n = 0; n < parts; n++) socket.sendFrame(n === 0 ? opcodes.text : opcodes.continuation, bytes.subarray(n * size, (n + 1) * size), n === parts - 1)
    t.match(await socket.next(), { code: 'frame_too_big' })
    t.same(await socket.closed, { code: 1009, reason: 'frame_too_big' })
  }
  const fits = await edge.join()
  const padding = limits.frameBytes - Buffer.byteLength(JSON.stringify({ type: 'ping', padding: '' }))
  fits.sendFrame(opcodes.text, JSON.stringify({ type: 'ping', padding: 'x'.repeat(padding) }))
  t.equal((await fits.next()).type, 'pong')
  const huge = await edge.join()
  huge.sendFrame(opcodes.text, 'x'.repeat(4 * limits.frameBytes))
  t.equal((await huge.closed).code, 1006)
})

t.test('unanswered commands are bounded, and every one is answered once', async (t) => {
  const held: (() => void)[] = []
  const service = scriptedService({ stop: (_, command) => new Promise((resolve) => held.push(() => resolve({ type: 'turn.stopped', turn_id: command.turn_id }))) })
  const edge = await startTestEdge(t, { service })
  const socket = await edge.join()
  for (let ref = 0; ref < 70; ref++) socket.send({ type: 'turn.stop', turn_id: turnId, ref })
  const refused = await Promise.all(Array.from({ length: 6 }, () => socket.next()))
  t.ok(refused.every((message) => code(message) === 'too_many_commands'))
  t.same(refused.map((message) => 'ref' in message && message.ref), [64, 65, 66, 67, 68, 69])
  t.equal(held.length, 64)
  for (const release of held.splice(0)) release()
  const answered = await Promise.all(Array.from({ length: 64 }, () => socket.next()))
  t.same(answered.map((message) => ('ref' in message ? Number(message.ref) : -1)).sort((a, b) => a - b), Array.from({ length: 64 }, (_, ref) => ref))
  t.equal((await socket.ask({ type: 'ping' })).type, 'pong')
})

t.test('a flood is refused with the time to wait, and ends with 4429', async (t) => {
  const edge = await startTestEdge(t, { framesPerSecond: 20 })
  const patient = await edge.join()
  for (let n = 0; n < 45; n++) patient.send({ type: 'ping' })
  const refused = await patient.next((message) => message.type === 'error')
  t.match(refused, { code: 'rate_limited', retryable: true })
  const waitMs = refused.type === 'error' ? (refused.retry_after_ms ?? 0) : 0
  t.ok(waitMs > 0)
  edge.pass(2_000)
  t.equal((await patient.ask({ type: 'ping' })).type, 'pong')
  const flooding = await edge.join()
  for (let n = 0; n < 200; n++) flooding.send({ type: 'ping' })
  t.same(await flooding.closed, { code: 4429, reason: 'rate_limited' })
  const pinging = await edge.join()
  for (let n = 0; n < 200; n++) pinging.sendFrame(opcodes.ping, '')
  t.equal((await pinging.closed).code, 4429, 'pings of the WebSocket protocol count')
})

t.test('connections are bounded by address, by user and in all', async (t) => {
  const edge = await startTestEdge(t, { maxConnectionsPerAddress: 3, limits: testLimits({ plans: testPlans({ sockets: 2 }) }) })
  await edge.join({ userId: 'anna' })
  const second = await edge.join({ userId: 'anna' })
  const third = await edge.connect()
  t.match(await third.hello('anna'), { type: 'error', code: 'too_many_connections', retryable: true })
  t.same(await third.closed, { code: 4429, reason: 'too_many_connections' })
  await second.leave()
  const again = await edge.join({ userId: 'anna' })
  t.equal((await again.ask({ type: 'ping' })).type, 'pong', 'a place is free again')
  await edge.join({ userId: 'ben' })
  await t.rejects(edge.connect(), /429/)
  await again.leave()
  await edge.join({ userId: 'ben' })
  t.equal(await edge.metric('chatterbot_websocket_refused_total', 'status="429"'), 1)

  const small = await startTestEdge(t, { maxConnections: 1 })
  await small.join()
  await t.rejects(small.connect(), /503/)
})

t.test('open conversations are bounded, and opening one again begins anew', async (t) => {
  const edge = await startTestEdge(t, { openConversations: 2 })
  const socket = await edge.join()
  await socket.ask({ ...open, conversation_id: 1 })
  await socket.ask({ ...open, conversation_id: 2 })
  t.equal(code(await socket.ask({ ...open, conversation_id: 3 })), 'too_many_conversations')
  t.equal(code(await socket.ask({ ...open, conversation_id: 2 })), 'conversation.opened')
  const [first, second, again] = edge.service.subscriptions
  t.match([first?.closed, second?.closed, again?.closed], [false, true, false])
  t.equal(code(await socket.ask({ type: 'conversation.close', conversation_id: 1 })), 'conversation.closed')
  t.ok(first?.closed)
  t.equal(code(await socket.ask({ ...open, conversation_id: 3 })), 'conversation.opened')
  await socket.leave()
  await edgeIsEmpty(edge)
  t.ok(edge.service.subscriptions.every((subscription) => subscription.closed), 'all are closed with the connection')
})

t.test('events follow the reply to open, never before it', async (t) => {
  const edge = await startTestEdge(t)
  const socket = await edge.join()
  socket.send({ ...open, ref: 1 })
  t.equal((await socket.next()).type, 'conversation.opened')
  const subscription = edge.service.subscriptions[0]
  t.ok(subscription?.started)
  subscription?.tell({ type: 'turn.delta', turn_id: turnId, attempt: 1, offset: 0, end: 2, text: 'Hi' })
  t.same(await socket.next(), { type: 'turn.delta', turn_id: turnId, attempt: 1, offset: 0, end: 2, text: 'Hi' })
})

t.test('a conversation that moved to another process is closed unasked, and can be opened again', async (t) => {
  let movedEarly = false
  const inner = scriptedService()
  const service = scriptedService({
    open: async (userId, command, connection, onMoved) => {
      if (movedEarly) onMoved()
      return inner.open(userId, command, connection, onMoved)
    },
  })
  const edge = await startTestEdge(t, { service })
  const socket = await edge.join()
  await socket.ask(open)
  inner.subscriptions[0]?.moved()
  t.same(await socket.next(), { type: 'conversation.closed', conversation_id: 1024 })
  t.equal(code(await socket.ask({ type: 'conversation.close', conversation_id: 1024 })), 'conversation_not_open')
  t.equal(code(await socket.ask(open)), 'conversation.opened')
  inner.subscriptions[0]?.moved()
  t.equal((await socket.ask({ type: 'ping' })).type, 'pong', 'what is dead already tells nothing more')
  t.same(socket.messages, [])
  movedEarly = true
  t.match(await socket.ask({ ...open, conversation_id: 2048 }), { type: 'error', code: 'moved', retryable: true })
})

t.test('a pace holds for what is open and for what is opened later, on this connection', async (t) => {
  const edge = await startTestEdge(t)
  const [socket, other] = [await edge.join(), await edge.join()]
  await socket.ask({ type: 'conversation.open', conversation_id: 1024 })
  await other.ask({ type: 'conversation.open', conversation_id: 1024 })
  t.match(await socket.ask({ type: 'pace.set', pace: 'whole' }), { type: 'pace.changed', pace: 'whole' })
  await socket.ask({ type: 'conversation.open', conversation_id: 2048 })
  t.same(edge.service.subscriptions.map(({ pace }) => pace), ['whole', 'live', 'whole'])
  await socket.ask({ type: 'pace.set', pace: 'live' })
  t.same(edge.service.subscriptions.map(({ pace }) => pace), ['live', 'live', 'live'])
  t.match(await socket.ask({ type: 'pace.set', pace: 'slow' }), { type: 'error', code: 'invalid_field', pointer: '/pace' })
})

t.test('whatever the actors throw is answered as internal, and the process lives', async (t) => {
  const service = scriptedService({
    list: () => Promise.reject(new TypeError('secret detail')),
    create: () => {
      throw new Error('thrown, not rejected')
    },
    send: () => Promise.reject(new ChatError('overloaded')),
    open: (_, command, connection) =>
      Promise.resolve({
        opened: { type: 'conversation.opened', conversation_id: command.conversation_id, title: null, messages: [], active_leaf: null, has_more: false, reset: false, turns: [] },
        subscription: {
          conversationId: command.conversation_id,
          start: () => {
            throw new Error(`no start on ${connection.subprotocol}`)
          },
          pump: () => {},
          setPace: () => {},
          close: () => {
            throw new Error('no close')
          },
        },
      }),
  })
  const edge = await startTestEdge(t, { service })
  const socket = await edge.join()
  t.match(await socket.ask({ type: 'conversation.list' }), { type: 'error', code: 'internal', message: 'Something went wrong on the server.' })
  t.match(await socket.ask({ type: 'conversation.create' }), { code: 'internal' })
  t.match(await socket.ask(send), { code: 'overloaded', retryable: true }, 'an error of the catalogue is told as it is, and closes nothing')
  t.match(await socket.ask({ type: 'ping' }), { type: 'pong' })
  await socket.ask(open)
  t.equal((await socket.closed).code, 1012, 'a view that cannot start cannot go on')
  t.equal((await (await edge.join()).ask({ type: 'ping' })).type, 'pong')
  t.ok(edge.faults.length >= 3)
})

t.test('a connection that goes while its commands are under way leaves nothing behind', async (t) => {
  let opened: (() => void) | undefined
  const late = scriptedService()
  const service = scriptedService({
    history: () => new Promise(() => {}),
    open: (userId, command, connection, onMoved) =>
      new Promise((resolve) => {
        opened = () => resolve(late.open(userId, command, connection, onMoved))
      }),
  })
  const edge = await startTestEdge(t, { service })
  const socket = await edge.join()
  socket.send(open)
  socket.send({ type: 'history.get', conversation_id: 1024 })
  t.equal((await socket.ask({ type: 'ping' })).type, 'pong')
  await socket.leave()
  await edgeIsEmpty(edge)
  opened?.()
  await new Promise((resolve) => setImmediate(resolve))
  t.ok(late.subscriptions[0]?.closed, 'a view that came too late is closed at once')
  t.notOk(late.subscriptions[0]?.started)
  const never = await edge.join()
  never.send({ type: 'history.get', conversation_id: 1024 })
  t.equal((await never.ask({ type: 'ping' })).type, 'pong')
})

t.test('clients are told when the load changes its level, each once', async (t) => {
  let etaMs = 0
  const edge = await startTestEdge(t, { service: scriptedService({ load: () => ({ queue_depth: 7, eta_ms: etaMs }) }) })
  const silent = await edge.connect()
  const socket = await edge.join({ protocols: ['chatterbot.v1.msgpack'] })
  etaMs = 4_000
  t.same(await socket.next(), { type: 'server.load', level: 'busy', queue_depth: 7, eta_ms: 4_000, advice: 'stream' })
  etaMs = 30_000
  t.same(await socket.next(), { type: 'server.load', level: 'overloaded', queue_depth: 7, eta_ms: 30_000, advice: 'async' })
  t.match(await silent.hello(), { type: 'welcome', load: { level: 'overloaded' } })
  t.same(silent.messages, [], 'nothing comes before the welcome')
})

/** Resolves once the edge has noticed that all have left. */
async function edgeIsEmpty(edge: { metric(name: string): Promise<number> }): Promise<void> {
  while ((await edge.metric('chatterbot_websocket_connections')) > 0) await new Promise((resolve) => setImmediate(resolve))
}

