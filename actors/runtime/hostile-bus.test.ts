/** What comes over the bus that no edge or bridge of ours, or none of today, would send: nothing changes by it, and nothing breaks. */
import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t, { type Test } from 'tap'
import { encodeBus } from '../../protocol/bus/codec.ts'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import { busMessages, type BusMessage } from '../../protocol/bus/messages.ts'
import {
  beginSubject, beginSubjectOf, busVersion, commandsSubject, contextSubject, deltasSubject, finishSubject, finishSubjectOf, followedSubject, followersSubject, followSubject, retrySubject,
} from '../../protocol/bus/subjects.ts'
import { newTurnId } from '../../protocol/ids.ts'
import { writeMsgpack } from '../../protocol/msgpack/writer.ts'
import { arbitraryOf } from '../../protocol/testing/schema-arbitrary.ts'
import { MemoryBus } from '../../platform/bus/memory/memory-bus.ts'
import { NatsBus } from '../../platform/bus/nats/nats-bus.ts'
import { recordedLogger } from '../../platform/logging/testing/recorded-logger.ts'
import { startNatsServer } from '../../tests/harness/nats-server.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { create, Device, open, send, startEdge, type EdgeBus } from '../testing/edges.ts'
import { idsFor, ScriptedBridge } from '../testing/scripted-bridge.ts'

const secret = 'SECRET'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** An edge with a run of "Hello" under way in `id`, beside other conversations of the same user and of another. */
async function newWorld(t: Test, bus: EdgeBus) {
  const logger = recordedLogger()
  const edge = await startEdge('edge-1', [await postgres.createDatabase(`d${randomUUID().replaceAll('-', '')}`)], bus, { logger })
  t.teardown(() => edge.stop())
  const bridge = new ScriptedBridge('bridge-1', bus.channel(), bus.jobQueue())
  const [id, sibling, foreign] = [await create(edge), await create(edge), await create(edge, 'bob')]
  const device = new Device()
  await open(edge, 'ann', id, device)
  const { turn_id, message_id } = await send(edge, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('Hello')
  await device.until(() => device.text.get(turn_id) === 'Hello')
  const channel = bus.channel()
  t.teardown(() => channel.close())
  /** Everything published before has been handled, as far as the bus goes. */
  const settled = () => channel.request(contextSubject, encodeBus({ v: busVersion, conversation_id: id, leaf: message_id }), { timeoutMs: 10_000 })
  return { logger, edge, bridge, device, id, sibling, foreign, turn_id, run, channel, settled }
}

type World = Awaited<ReturnType<typeof newWorld>>

const subjects = [beginSubject, beginSubjectOf('edge-1'), contextSubject, finishSubject, finishSubjectOf('edge-1'), deltasSubject('edge-1'), retrySubject, commandsSubject('edge-1'), followSubject('edge-1'), followersSubject('edge-1'), followedSubject('edge-1')]

/** Of no run: neither this number nor one that a changed byte makes of it is a run's. */
const nobodysRun = 70_000

function delta(turnId: string, run: number, offset: number, text: string, bridge = 'mallory'): [string, Uint8Array] {
  return [deltasSubject('edge-1'), encodeBus({ v: busVersion, bridge, items: [[turnId, run, offset, text, offset, idsFor(0, 1)]] })]
}

function finish(turnId: string, conversationId: number, run: number, offset: number, text: string, bridge = 'mallory'): [string, Uint8Array] {
  const request = { v: busVersion, turn_id: turnId, conversation_id: conversationId, bridge, run, offset, text, outcome: { type: 'finished' as const, reason: 'stop' as const }, usage: null, model: 'm', cached: false, cost_usd: null }
  return [finishSubject, encodeBus(request)]
}

function begin(turnId: string, conversationId: number): [string, Uint8Array] {
  return [beginSubject, encodeBus({ v: busVersion, turn_id: turnId, conversation_id: conversationId, bridge: 'mallory', default_model: 'm' })]
}

/** Each well-formed, and each wrong. */
function wrongMessages({ turn_id, id, sibling, foreign }: World): [string, Uint8Array][] {
  const long = secret.repeat(8_000)
  return [
    begin(turn_id, sibling),
    begin(turn_id, foreign),
    begin(turn_id, id),
    begin(newTurnId(id % 1024), id),
    delta(turn_id, nobodysRun, 0, secret),
    delta(turn_id, 1, 5, secret),
    delta(turn_id, 1, 5, long),
    delta(turn_id, 1, 5, `${secret}\0`),
    delta(turn_id, 1, 2 ** 40, secret),
    delta('x'.repeat(36), 1, 0, secret),
    [deltasSubject('edge-1'), encodeBus({ v: busVersion, bridge: 'mallory', items: Array.from({ length: 300 }, () => [newTurnId(7), 1, 0, secret, 0, idsFor(0, 1)] as DeltaItem) })],
    finish(turn_id, id, nobodysRun, 0, secret),
    finish(turn_id, id, 1, 5, secret),
    finish(turn_id, sibling, 1, 5, secret),
    finish(turn_id, foreign, 1, 5, secret),
    finish(turn_id, id, 1, 2 ** 40, secret, 'bridge-1'),
    finish(turn_id, id, 1, 5, long, 'bridge-1'),
    finish(turn_id, id, 1, 5, `${secret}\0`, 'bridge-1'),
    [retrySubject, encodeBus({ v: busVersion, turn_id, conversation_id: id })],
    [commandsSubject('edge-1'), encodeBus({ v: busVersion, user_id: 'mallory', command: { type: 'turn.stop', turn_id } })],
    [commandsSubject('edge-1'), encodeBus({ v: busVersion, user_id: 'mallory', command: { type: 'message.send', conversation_id: id, client_message_id: 'm', text: secret } })],
  ]
}

function hostile(world: World): fc.Arbitrary<[string, Uint8Array]> {
  const subject = fc.constantFrom(...subjects)
  const wrong = fc.constantFrom(...wrongMessages(world))
  const mutable = [delta(world.turn_id, nobodysRun, 0, secret), finish(world.turn_id, world.id, nobodysRun, 0, secret), begin(newTurnId(3), world.id)]
  const names = fc.constantFrom(...(Object.keys(busMessages) as (keyof typeof busMessages)[]))
  return fc.oneof(
    wrong,
    fc.tuple(subject, fc.uint8Array({ maxLength: 200 })),
    fc.tuple(subject, fc.jsonValue().map((value) => writeMsgpack(JSON.parse(JSON.stringify(value)) as object))),
    // A message that is sound in itself, at a door of another kind or at its own, of nothing that exists.
    fc.tuple(subject, names.chain((name) => arbitraryOf(busMessages[name])).map((message) => encodeBus({ ...(message as BusMessage), v: busVersion }))),
    fc.tuple(subject, fc.constantFrom(...mutable), fc.nat(), fc.nat(255)).map(([to, [, payload], where, byte]): [string, Uint8Array] => [to, payload.slice().fill(byte, where % payload.length, (where % payload.length) + 1)]),
    fc.tuple(subject, fc.integer({ min: busVersion + 1, max: 2 ** 40 })).map(([to, v]): [string, Uint8Array] => [to, writeMsgpack({ v, bridge: 'future', everything: secret })]),
  )
}

async function withstands(t: Test, bus: EdgeBus, numRuns: number): Promise<void> {
  const world = await newWorld(t, bus)
  const { channel, settled, device, bridge, run, turn_id, edge, logger, id, sibling, foreign } = world
  for (const [subject, payload] of wrongMessages(world)) channel.publish(subject, payload)
  await fc.assert(
    fc.asyncProperty(hostile(world), async ([subject, payload]) => {
      channel.publish(subject, payload)
      run.beat()
      await settled()
      return device.ends.size === 0 && bridge.aborted.length === 0
    }),
    { numRuns, endOnFailure: true },
  )
  run.say(', world')
  await device.until(() => device.text.get(turn_id) === 'Hello, world')
  t.equal(await run.finish(), 'confirmed')
  await device.until(() => device.ends.has(turn_id))
  t.match(device.ends.get(turn_id), { type: 'turn.finished', reason: 'stop', attempt: 1, end: 12 })
  t.match(await edge.store.turn(turn_id), { state: 'finished', run: 1, attempt: 1, bridge: 'bridge-1' })
  for (const [user, conversation, count] of [['ann', id, 2], ['ann', sibling, 0], ['bob', foreign, 0]] as const) {
    t.equal((await edge.runtime.service.history(user, { type: 'history.get', conversation_id: conversation })).messages.length, count)
  }
  t.same(bridge.aborted, [])
  const told = JSON.stringify(logger.lines, (_, value: unknown) => (value instanceof Error ? `${value.message} ${value.stack}` : value))
  t.notMatch(told, /SECRET/, 'no text in the log')
  t.same(logger.lines.filter(({ level, fields }) => level === 'error' || level === 'fatal' || /TypeError|RangeError/.test(String(fields['kind']))), [])
  t.ok(logger.lines.filter(({ level }) => level === 'warn').length <= 201, `${logger.lines.length} lines`)
  t.match(logger.lines.filter(({ fields }) => fields['kind'] === 'newer_version')[0], { fields: { sender: 'future' } })
}

t.test('whatever is sent over the bus in memory, a run goes on as if nothing had been', async (t) => {
  await withstands(t, new MemoryBus({ ackWaitMs: 60_000 }), 600)
})

t.test('whatever is sent over NATS, a run goes on as if nothing had been', async (t) => {
  const server = await startNatsServer(t)
  const bus = new NatsBus({ urls: [server.url], name: 'test', logger: recordedLogger() })
  t.teardown(() => bus.stop())
  await bus.start()
  await withstands(t, { channel: () => bus.channel, jobQueue: () => bus.jobQueue, deadLetters: () => bus.deadLetters }, 150)
})

t.test('messages of the version before are taken', async (t) => {
  const { channel, device, turn_id, run } = await newWorld(t, new MemoryBus())
  channel.publish(deltasSubject('edge-1'), encodeBus({ v: busVersion - 1, bridge: 'bridge-1', items: [[turn_id, run.granted.run, 5, ', old friend', 5, idsFor(5, 17)]] }))
  await device.until(() => device.text.get(turn_id) === 'Hello, old friend')
})

t.test('a batch that is replayed shows nothing twice', async (t) => {
  const { channel, device, turn_id, run, settled } = await newWorld(t, new MemoryBus())
  const [subject, payload] = delta(turn_id, 1, 0, 'Hello', 'bridge-1')
  for (let n = 0; n < 50; n += 1) channel.publish(subject, payload)
  await settled()
  run.say('!')
  await device.until(() => device.text.get(turn_id) === 'Hello!')
})

t.test('a stale run that goes on sending is told to stop once a second', async (t) => {
  const { channel, bridge, turn_id, settled } = await newWorld(t, new MemoryBus())
  const began = performance.now()
  let told = 0
  // Asked of a bridge that does not hold that run, which answers and is counted here.
  const counting = channel.subscribe('bridge.stale.control', () => (told += 1))
  for (let n = 0; n < 500; n += 1) channel.publish(...delta(turn_id, nobodysRun, n, secret, 'stale'))
  await settled()
  await new Promise(setImmediate)
  const seconds = (performance.now() - began) / 1_000
  counting.unsubscribe()
  t.ok(told >= 1 && told <= 1 + Math.ceil(seconds), `${told} times`)
  t.same(bridge.aborted, [])
})
