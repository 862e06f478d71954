import { randomUUID } from 'node:crypto'
import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { decodeServerMessage } from '../../protocol/websocket/client-codec.ts'
import type { ServerEvent } from '../../protocol/websocket/messages.ts'
import type { Subprotocol } from '../../protocol/websocket/subprotocols.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { createPostgresStorage } from '../../storage/postgres/storage.ts'
import { evenShards } from '../../storage/postgres/shard-map.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import type { ClientConnection } from '../conversation-service.ts'
import { ScriptedBridge } from '../testing/scripted-bridge.ts'
import { createConversationRuntime, type ConversationRuntime } from './runtime.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** An edge process, as far as the actors are concerned. */
interface Edge {
  readonly runtime: ConversationRuntime
  stop(): Promise<void>
  /** Ends it as SIGKILL would: nothing is given up, nothing is said. */
  kill(): Promise<void>
}

async function startEdge(node: string, shards: readonly string[], bus: MemoryBus): Promise<Edge> {
  const storage = createPostgresStorage({ shards: evenShards(shards), node, bootId: randomUUID(), logger, clock: systemClock })
  await storage.migrate()
  await storage.start()
  const channel = bus.channel()
  const jobQueue = bus.jobQueue()
  const runtime = createConversationRuntime({ store: storage.store, channel, jobQueue, node, logger, clock: systemClock, turnDeadlineMs: 60_000 })
  await runtime.start()
  const close = async (): Promise<void> => {
    await channel.close()
    await jobQueue.close()
    await storage.stop()
  }
  return {
    runtime,
    stop: async () => {
      await runtime.stop()
      await close()
    },
    kill: close,
  }
}

/** What one device shows. */
class Device implements ClientConnection {
  readonly subprotocol: Subprotocol
  writable = true
  readonly events: ServerEvent[] = []
  readonly text = new Map<string, string>()
  readonly ends = new Map<string, Extract<ServerEvent, { type: 'turn.finished' | 'turn.failed' }>>()
  #wake: (() => void)[] = []

  constructor(subprotocol: Subprotocol = 'chatterbot.v1.json') {
    this.subprotocol = subprotocol
  }

  send(frame: string | Uint8Array): void {
    const event = decodeServerMessage(this.subprotocol, frame) as ServerEvent
    this.events.push(event)
    if (event.type === 'turn.started') this.text.set(event.turn_id, '')
    if (event.type === 'turn.delta') {
      const held = this.text.get(event.turn_id) ?? ''
      if (held.length !== event.offset) throw new Error(`${held.length} held, delta at ${event.offset}`)
      this.text.set(event.turn_id, held + event.text)
    }
    if (event.type === 'turn.finished' || event.type === 'turn.failed') {
      if (this.ends.has(event.turn_id)) throw new Error('a second end')
      this.ends.set(event.turn_id, event)
    }
    for (const wake of this.#wake.splice(0)) wake()
  }

  fellBehind(): void {
    throw new Error('fell behind')
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) await new Promise<void>((resolve) => this.#wake.push(resolve))
  }
}

async function world(t: TestContext, shards = 1) {
  const urls: string[] = []
  for (let n = 0; n < shards; n += 1) urls.push(await postgres.createDatabase(`d${randomUUID().replaceAll('-', '')}`))
  const bus = new MemoryBus({ ackWaitMs: 500 })
  const edges: Edge[] = []
  t.teardown(async () => {
    for (const edge of edges) await edge.stop().catch(() => undefined)
  })
  const bridges: ScriptedBridge[] = []
  return {
    bus,
    urls,
    edge: async (node = 'edge-1') => {
      const edge = await startEdge(node, urls, bus)
      edges.push(edge)
      return edge
    },
    bridge: (name = 'bridge-1') => {
      const bridge = new ScriptedBridge(name, bus.channel(), bus.jobQueue())
      bridges.push(bridge)
      return bridge
    },
  }
}

async function open(edge: Edge, user: string, conversationId: number, device: Device, cursor?: { message_id?: number; turn_id?: string; attempt?: number; offset?: number }, onMoved: () => void = () => undefined) {
  const { opened, subscription } = await edge.runtime.service.open(user, { type: 'conversation.open', conversation_id: conversationId, ...(cursor ? { cursor } : {}) }, device, onMoved)
  subscription.start()
  return { opened, subscription }
}

function send(edge: Edge, user: string, conversationId: number, text: string, over: { client_message_id?: string; parent_id?: number | null } = {}) {
  return edge.runtime.service.send(user, { type: 'message.send', conversation_id: conversationId, client_message_id: randomUUID(), text, ...over })
}

async function create(edge: Edge, user = 'ann'): Promise<number> {
  return (await edge.runtime.service.create(user, { type: 'conversation.create' })).conversation_id
}

async function code(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof ChatError ? error.code : String(error)),
  )
}

t.test('a message is answered, on two devices alike, and is there afterwards', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t, 2)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const [a, b] = [new Device(), new Device('chatterbot.v1.msgpack')]
  await open(edge, 'ann', id, a)
  await open(edge, 'ann', id, b)
  const accepted = await send(edge, 'ann', id, '# Why is the *sky* blue?')
  const run = await bridge.run()
  t.match(run.granted, { run: 1, attempt: 1, user_id: 'ann', model: 'test-model', messages: [{ role: 'user', content: '# Why is the *sky* blue?' }], more: null, resume: null })
  run.say('Because ')
  run.say('of scattering.')
  t.equal(await run.finish(), 'confirmed')
  for (const device of [a, b]) {
    await device.until(() => device.ends.has(accepted.turn_id))
    t.equal(device.text.get(accepted.turn_id), 'Because of scattering.')
    t.match(device.ends.get(accepted.turn_id), { type: 'turn.finished', reason: 'stop', end: 22, message_id: accepted.reply_message_id, usage: { prompt_tokens: 7 } })
    t.same(device.events.map(({ type }) => type).filter((type) => type !== 'turn.delta' && type !== 'turn.queued'), ['message.added', 'conversation.updated', 'turn.started', 'turn.finished'])
  }
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.match(messages, [
    { message_id: accepted.message_id, role: 'user', parent_id: null, client_message_id: accepted.client_message_id },
    { message_id: accepted.reply_message_id, role: 'assistant', content: 'Because of scattering.', parent_id: accepted.message_id, reason: 'stop', model: 'test-model' },
  ])
  const { conversations } = await edge.runtime.service.list('ann', { type: 'conversation.list' })
  t.match(conversations, [{ conversation_id: id, title: 'Why is the *sky* blue?' }])
})

t.test('a message sent twice is answered once, and another under the same key is refused', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const first = await send(edge, 'ann', id, 'hello', { client_message_id: 'k' })
  const again = await send(edge, 'ann', id, 'hello', { client_message_id: 'k' })
  t.same({ ...again, state: first.state }, { ...first, duplicate: true })
  t.equal(await code(send(edge, 'ann', id, 'other', { client_message_id: 'k' })), 'idempotency_conflict')
  const run = await bridge.run()
  await run.finish()
  t.match(await send(edge, 'ann', id, 'hello', { client_message_id: 'k' }), { turn_id: first.turn_id, state: 'finished', duplicate: true })
})

t.test('what is not yours is not there', async (t) => {
  const { edge: startOne } = await world(t)
  const edge = await startOne()
  const id = await create(edge, 'ann')
  const { turn_id, message_id } = await send(edge, 'ann', id, 'secret')
  const { service } = edge.runtime
  const strange = id + 1024
  for (const other of [id, strange]) {
    t.equal(await code(open(edge, 'bob', other, new Device())), 'conversation_not_found')
    t.equal(await code(send(edge, 'bob', other, 'hi')), 'conversation_not_found')
    t.equal(await code(service.history('bob', { type: 'history.get', conversation_id: other })), 'conversation_not_found')
    t.equal(await code(service.edit('bob', { type: 'message.edit', conversation_id: other, message_id, client_message_id: 'x', text: 'y' })), 'conversation_not_found')
  }
  t.equal(await code(service.stop('bob', { type: 'turn.stop', turn_id })), 'turn_not_found')
  t.equal(await code(service.stop('ann', { type: 'turn.stop', turn_id: turn_id.replace(/.{12}$/, '000000000000') })), 'turn_not_found')
  const foreign = await create(edge, 'ann')
  t.equal(await code(send(edge, 'ann', foreign, 'hi', { parent_id: message_id })), 'message_not_found')
  t.equal(await code(service.edit('ann', { type: 'message.edit', conversation_id: foreign, message_id, client_message_id: 'x', text: 'y' })), 'message_not_found')
})

t.test('a device that comes back goes on at the next character', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const first = new Device()
  const { subscription } = await open(edge, 'ann', id, first)
  const { turn_id, message_id } = await send(edge, 'ann', id, 'tell me a story')
  const run = await bridge.run()
  run.say('Once upon')
  await first.until(() => first.text.get(turn_id) === 'Once upon')
  subscription.close()
  run.say(' a time')
  const second = new Device()
  second.text.set(turn_id, 'Once')
  const { opened } = await open(edge, 'ann', id, second, { message_id, turn_id, attempt: 1, offset: 4 })
  t.match(opened, { reset: false, active_leaf: Number, turns: [{ turn_id, attempt: 1, offset: 4, state: 'running' }] })
  const [snapshot] = opened.turns
  t.ok(' upon a time'.startsWith(snapshot?.text ?? '?'))
  second.text.set(turn_id, 'Once' + (snapshot?.text ?? ''))
  run.say(' there was')
  await run.finish()
  await second.until(() => second.ends.has(turn_id))
  t.equal(second.text.get(turn_id), 'Once upon a time there was')
  t.match((await open(edge, 'ann', id, new Device(), { message_id: message_id + 4096 * 1024 })).opened, { reset: true, has_more: false })
})

t.test('a stop cuts the reply at once, for everybody, and stops the bridge', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one two')
  await device.until(() => device.text.get(turn_id) === 'one two')
  await edge.runtime.service.stop('ann', { type: 'turn.stop', turn_id })
  run.say(' three')
  await device.until(() => device.ends.has(turn_id))
  t.match(device.ends.get(turn_id), { type: 'turn.finished', reason: 'stopped', end: 7 })
  t.equal(await run.finish(), 'confirmed', 'its end is stored, so that the job can go')
  t.ok(bridge.aborted.includes(turn_id))
  t.match(await edge.runtime.service.stop('ann', { type: 'turn.stop', turn_id }), { type: 'turn.stopped', turn_id }, 'again')
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.match(messages[1], { content: 'one two', reason: 'stopped' })
})

t.test('messages sent meanwhile wait in order, each below the reply before', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const sent = []
  for (let n = 0; n < 5; n += 1) sent.push(await send(edge, 'ann', id, `message ${n}`))
  t.same(sent.map(({ state }) => state), ['queued', 'waiting', 'waiting', 'waiting', 'waiting'])
  for (let n = 1; n < 5; n += 1) t.equal(sent[n]?.parent_id, sent[n - 1]?.reply_message_id)
  t.equal(await code(send(edge, 'ann', id, 'too many')), 'busy')
  for (let n = 0; n < 5; n += 1) {
    const run = await bridge.run()
    t.equal(run.job.turnId, sent[n]?.turn_id)
    t.equal(run.granted.messages.length, 2 * n + 1, 'with all before it as context')
    run.say(`reply ${n}`)
    await run.finish()
  }
})

t.test('an edit and a regenerate branch off, and stop what runs', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const { service } = edge.runtime
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const first = await send(edge, 'ann', id, 'frist')
  const run = await bridge.run()
  run.say('What?')
  await device.until(() => device.text.get(first.turn_id) === 'What?')
  const edited = await service.edit('ann', { type: 'message.edit', conversation_id: id, message_id: first.message_id, client_message_id: 'e', text: 'first' })
  t.equal(edited.parent_id, null)
  t.not(edited.message_id, first.message_id)
  await device.until(() => device.ends.has(first.turn_id))
  t.match(device.ends.get(first.turn_id), { reason: 'stopped', end: 5 })
  const second = await bridge.run()
  t.match(second.granted.messages, [{ content: 'first' }])
  second.say('Hello')
  await second.finish()
  const again = await service.regenerate('ann', { type: 'turn.regenerate', conversation_id: id, message_id: edited.reply_message_id, client_message_id: 'r' })
  t.equal(again.message_id, edited.message_id)
  const third = await bridge.run()
  t.match(third.granted.messages, [{ content: 'first' }])
  third.say('Hi')
  await third.finish()
  const { messages } = await service.history('ann', { type: 'history.get', conversation_id: id })
  t.same(messages.map(({ role, content, parent_id }) => [role, content, parent_id]), [
    ['user', 'frist', null],
    ['assistant', 'What?', first.message_id],
    ['user', 'first', null],
    ['assistant', 'Hello', edited.message_id],
    ['assistant', 'Hi', edited.message_id],
  ])
  t.equal(await code(service.edit('ann', { type: 'message.edit', conversation_id: id, message_id: edited.reply_message_id, client_message_id: 'x', text: 'y' })), 'not_editable')
})

t.test('lost deltas are asked for again, and a finish brings what is missing', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const { turn_id } = await send(edge, 'ann', id, 'count')
  const run = await bridge.run()
  run.say('one ')
  run.say('two ', true)
  run.say('three ')
  await device.until(() => device.text.get(turn_id) === 'one two three ')
  run.say('four ', true)
  run.say('five', true)
  t.equal(await run.finish(), 'confirmed')
  await device.until(() => device.ends.has(turn_id))
  t.equal(device.text.get(turn_id), 'one two three four five')
})

t.test('a bridge that dies is replaced, and the text goes on from its tokens', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const [one, two] = [startBridge('bridge-1'), startBridge('bridge-2')]
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const { turn_id } = await send(edge, 'ann', id, 'go on')
  const dead = await one.run()
  dead.say('The first half')
  await device.until(() => device.text.get(turn_id) === 'The first half')
  one.die()
  const next = await two.run()
  t.match(next.granted, { run: 2, attempt: 1, resume: { text: 'The first half', model: 'test-model' } })
  t.equal(next.granted.resume?.token_ids.byteLength, 14 * 4)
  dead.say(' of a ghost')
  next.say(' and the second')
  t.equal(await next.finish(), 'confirmed')
  t.equal(await dead.finish(), 'abort')
  await device.until(() => device.ends.has(turn_id))
  t.equal(device.text.get(turn_id), 'The first half and the second')
  t.equal(device.events.filter(({ type }) => type === 'turn.started').length, 1)
})

t.test('a bridge that cannot go on is granted a new attempt', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('Some text')
  await device.until(() => device.text.get(turn_id) === 'Some text')
  const reply = await bridge.ask(run.job, true)
  if (reply.type !== 'granted') throw new Error(reply.type)
  t.match(reply, { run: 2, attempt: 2, resume: null })
  const anew = bridge.hold(run.job, reply)
  anew.say('Other text')
  await anew.finish()
  await device.until(() => device.ends.has(turn_id))
  t.equal(device.text.get(turn_id), 'Other text')
  t.match(device.ends.get(turn_id), { attempt: 2, end: 10 })
})

t.test('the next owner attaches to the run of the one that died, and the text goes on', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const first = await startOne('edge-1')
  const bridge = startBridge()
  const id = await create(first)
  const device = new Device()
  await open(first, 'ann', id, device)
  const { turn_id, message_id } = await send(first, 'ann', id, 'tell me')
  const run = await bridge.run()
  run.say('Once upon')
  await device.until(() => device.text.get(turn_id) === 'Once upon')
  await first.kill()
  run.say(' a time')
  // The same node, started again: no waiting for it to be declared dead.
  const second = await startOne('edge-1')
  const back = new Device()
  back.text.set(turn_id, 'Once upon')
  const { opened } = await open(second, 'ann', id, back, { message_id, turn_id, attempt: 1, offset: 9 })
  t.match(opened, { reset: false, turns: [{ turn_id, attempt: 1, offset: 9 }] })
  back.text.set(turn_id, 'Once upon' + (opened.turns[0]?.text ?? ''))
  await back.until(() => back.text.get(turn_id) === 'Once upon a time')
  t.equal(await run.finish(), 'confirmed')
  await back.until(() => back.ends.has(turn_id))
  t.match(back.ends.get(turn_id), { type: 'turn.finished', reason: 'stop', attempt: 1, end: 16 })
})

t.test('a run that goes on sending brings its conversation back, and is not stopped', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const first = await startOne('edge-1')
  const bridge = startBridge()
  const id = await create(first)
  const { turn_id } = await send(first, 'ann', id, 'tell me')
  const run = await bridge.run()
  run.say('Once upon')
  await first.kill()
  const second = await startOne('edge-1')
  run.say(' a time')
  while (second.runtime.counts().turns === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  run.say(' there was')
  t.equal(await run.finish(), 'confirmed')
  t.same(bridge.aborted, [])
  const { messages } = await second.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.match(messages[1], { turn_id, content: 'Once upon a time there was', attempt: 1 })
})

t.test('a run of a turn that has ended is told to stop', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  const run = await bridge.run()
  await run.finish()
  t.same(bridge.aborted, [])
  run.say('still here')
  while (bridge.aborted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(bridge.aborted, [turn_id])
})

t.test('when owner and bridge both die, the reply is begun anew', async (t) => {
  const { edge: startOne, bridge: startBridge } = await world(t)
  const first = await startOne('edge-1')
  const one = startBridge('bridge-1')
  const id = await create(first)
  const { turn_id } = await send(first, 'ann', id, 'tell me')
  const run = await one.run()
  run.say('Lost')
  await first.kill()
  one.die()
  const second = await startOne('edge-1')
  const device = new Device()
  await open(second, 'ann', id, device, { turn_id, attempt: 1, offset: 4 })
  const two = startBridge('bridge-2')
  const anew = await two.run()
  t.match(anew.granted, { run: 2, attempt: 2, resume: null })
  anew.say('Found')
  await anew.finish()
  await device.until(() => device.ends.has(turn_id))
  t.equal(device.text.get(turn_id), 'Found')
})

t.test('an owner that was taken for dead cannot write, and its clients are told to go', async (t) => {
  const { edge: startOne } = await world(t)
  const sleeper = await startOne('edge-1')
  const id = await create(sleeper)
  const device = new Device()
  let moved = false
  await open(sleeper, 'ann', id, device, undefined, () => {
    moved = true
  })
  // The same node has booted anew: the old boot is dead by its own name.
  const next = await startOne('edge-1')
  await open(next, 'ann', id, new Device())
  const accepted = await send(next, 'ann', id, 'to the new owner')
  t.not(await code(send(sleeper, 'ann', id, 'to the old owner')), 'no error')
  t.ok(moved)
  const { messages } = await next.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.same(messages.map(({ message_id }) => message_id), [accepted.message_id])
})

t.test('with the bus away a message is accepted, and answered when it is back', async (t) => {
  const { bus, edge: startOne, bridge: startBridge } = await world(t)
  const edge = await startOne()
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  bus.disconnect()
  const { turn_id, state } = await send(edge, 'ann', id, 'anybody there?')
  t.equal(state, 'queued')
  bus.reconnect()
  const run = await startBridge().run()
  t.equal(run.job.turnId, turn_id)
  run.say('yes')
  await run.finish()
  await device.until(() => device.ends.has(turn_id))
})

t.test('what a process left unpublished is found by the next', async (t) => {
  const { bus, edge: startOne, bridge: startBridge } = await world(t)
  const first = await startOne('edge-1')
  const id = await create(first)
  bus.disconnect()
  const { turn_id } = await send(first, 'ann', id, 'left behind')
  await first.kill()
  bus.reconnect()
  await startOne('edge-1')
  const run = await startBridge().run()
  t.equal(run.job.turnId, turn_id)
  t.equal(await run.finish(), 'confirmed')
})

t.test('concurrent commands for a conversation that sleeps share one activation', async (t) => {
  const { edge: startOne } = await world(t)
  const edge = await startOne()
  const id = await create(edge)
  const accepted = await Promise.all(Array.from({ length: 5 }, (_, n) => send(edge, 'ann', id, `m${n}`)))
  t.equal(edge.runtime.counts().actors, 1)
  t.equal(new Set(accepted.map(({ message_id }) => message_id)).size, 5)
})

t.test('while Postgres is away a running reply goes on, sends are refused, and the end is stored at its return', async (t) => {
  const own = await startPostgres(t)
  const url = await own.createDatabase('away')
  const bus = new MemoryBus({ ackWaitMs: 500 })
  const edge = await startEdge('edge-1', [url], bus)
  t.teardown(() => edge.stop())
  const bridge = new ScriptedBridge('bridge-1', bus.channel(), bus.jobQueue())
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one ')
  await device.until(() => device.text.get(turn_id) === 'one ')
  await own.kill()
  run.say('two ')
  await device.until(() => device.text.get(turn_id) === 'one two ')
  t.equal(await code(send(edge, 'ann', id, 'refused')), 'unavailable')
  run.say('three')
  const finished = run.finish()
  await own.restart()
  t.equal(await finished, 'confirmed')
  await device.until(() => device.ends.has(turn_id))
  t.equal(device.text.get(turn_id), 'one two three')
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.same(messages.map(({ content }) => content), ['go', 'one two three'], 'and nothing of what was refused')
  t.match(await send(edge, 'ann', id, 'taken again'), { duplicate: false })
})
