import t, { type Test } from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { recordedLogger } from '../../platform/logging/testing/recorded-logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { create, Device, newWorld, open, send, type Edge } from '../testing/edges.ts'
import { Deadlines } from './deadlines.ts'

/** Turns that ask for it have this long. */
const shortMs = 1_500

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** The turn has ended as it should for everyone, once, and is stored as shown. A device throws at a second end. */
async function overdue(t: Test, edge: Edge, conversationId: number, device: Device, turnId: string, text: string): Promise<void> {
  await device.until(() => device.ends.has(turnId))
  t.match(device.ends.get(turnId), { type: 'turn.failed', end: text.length, error: { code: 'deadline_exceeded', retryable: true } })
  t.equal(device.text.get(turnId) ?? '', text)
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id: conversationId })
  t.match(messages.filter((message) => message.turn_id === turnId && message.role === 'assistant'), [{ message_id: device.ends.get(turnId)?.message_id, content: text, reason: 'failed' }])
}

t.test('a turn whose time is up ends once, whether it is queued, running or waiting', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await world.edge('edge-1', { turnDeadlineMs: shortMs })
  const bridge = world.bridge()
  const [queued, running] = [new Device(), new Device()]
  const inQueue = await open(edge, 'ann', await create(edge), queued)
  const inHand = await open(edge, 'ann', await create(edge), running)
  const runs = await send(edge, 'ann', inHand.opened.conversation_id, 'begin')
  const run = await bridge.run()
  run.say('so far')
  const waits = await send(edge, 'ann', inHand.opened.conversation_id, 'and then')
  t.equal(waits.state, 'waiting')
  const lies = await send(edge, 'ann', inQueue.opened.conversation_id, 'nobody comes')
  await overdue(t, edge, inQueue.opened.conversation_id, queued, lies.turn_id, '')
  await overdue(t, edge, inHand.opened.conversation_id, running, runs.turn_id, 'so far')
  await overdue(t, edge, inHand.opened.conversation_id, running, waits.turn_id, '')
  while (bridge.aborted.length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
  t.same(bridge.aborted, [runs.turn_id], 'the bridge is told')
  t.equal(await run.finish(), 'confirmed', 'its job is done')
  t.equal(edge.runtime.counts().turns, 0)
})

t.test('a turn whose time is up ends once while its bridge cannot be reached by its new owner', async (t) => {
  const world = await newWorld(t, postgres)
  const first = await world.edge('edge-1', { turnDeadlineMs: 2 * shortMs })
  const bridge = world.bridge()
  const id = await create(first)
  const { turn_id } = await send(first, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('lost')
  await first.kill()
  bridge.die()
  const second = await world.edge('edge-1', { turnDeadlineMs: shortMs })
  const device = new Device()
  const { opened } = await open(second, 'ann', id, device)
  t.match(opened.turns, [{ turn_id, state: 'resuming' }])
  await overdue(t, second, id, device, turn_id, '')
  t.match(device.ends.get(turn_id), { attempt: 2 }, 'what was shown before is void')
})

t.test('the owner ends its turns itself, and no other edge does', async (t) => {
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1', { turnDeadlineMs: shortMs })
  const other = await world.edge('edge-2', { turnDeadlineMs: shortMs })
  const device = new Device()
  const { opened } = await open(owner, 'ann', await create(owner), device)
  const { turn_id } = await send(owner, 'ann', opened.conversation_id, 'nobody comes')
  await overdue(t, owner, opened.conversation_id, device, turn_id, '')
  t.equal(other.runtime.counts().actors, 0)
})

t.test('when the owner is dead another edge ends its turns, those that wait as well', { timeout: 60_000 }, async (t) => {
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1', { turnDeadlineMs: shortMs })
  const id = await create(owner)
  const turns = [await send(owner, 'ann', id, 'nobody comes'), await send(owner, 'ann', id, 'nor for this')]
  await owner.kill()
  const other = await world.edge('edge-2')
  const failed = async (): Promise<unknown[]> => {
    const { messages } = await other.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
    return messages.filter(({ reason }) => reason === 'failed').map((message) => message.turn_id)
  }
  while ((await failed()).length < 2) await new Promise((resolve) => setTimeout(resolve, 100))
  t.same(await failed(), turns.map(({ turn_id }) => turn_id))
  t.equal(other.runtime.counts().turns, 0)
})

t.test('a turn whose end is under way is not ended twice, and one that could not be ended is tried again', async (t) => {
  const logger = recordedLogger()
  const expired: string[] = []
  let fail: (error: Error) => void = () => undefined
  const deadlines = new Deadlines({
    overdue: () => ['a', 'b'],
    expire: (turnId) => {
      expired.push(turnId)
      return turnId === 'a' ? new Promise((_, reject) => (fail = reject)) : Promise.reject(new ChatError('overloaded'))
    },
    logger,
  })
  deadlines.check()
  await new Promise(setImmediate)
  deadlines.check()
  t.same(expired, ['a', 'b', 'b'])
  fail(new Error('of the program'))
  await deadlines.stop()
  t.same(logger.lines.map(({ level, fields }) => `${level} ${String(fields['turn'])}`).sort(), ['debug b', 'debug b', 'warn a'])
})
