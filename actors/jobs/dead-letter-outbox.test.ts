import t from 'tap'
import { BusError } from '../../platform/bus/channel.ts'
import type { DeadLetter } from '../../platform/bus/dead-letters.ts'
import { recordedLogger } from '../../platform/logging/testing/recorded-logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { create, Device, newChat, newWorld, open, send } from '../testing/edges.ts'
import { DeadLetterOutbox } from './dead-letter-outbox.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

async function until<T>(look: () => Promise<T | null>): Promise<T> {
  for (;;) {
    const found = await look()
    if (found !== null) return found
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

t.test('a turn that five grants did not bring on is given up, and its dead letter holds none of its text', async (t) => {
  const { world, edge, bridge, id, device } = await newChat(t, postgres)
  const deadLetters = world.bus.deadLetters()
  const { turn_id } = await send(edge, 'ann', id, 'a secret question')
  const job = await bridge.take()
  const answers: string[] = []
  for (let n = 0; n < 6; n += 1) answers.push((await bridge.ask(job, n > 0)).type)
  t.same(answers, ['granted', 'granted', 'granted', 'granted', 'granted', 'gone'])
  await device.until(() => device.ends.has(turn_id))
  const letter = await until(() => deadLetters.get(turn_id))
  t.match(letter, { conversationId: id, lane: 'standard', reason: 'engine_unavailable', attempt: 5, run: 5, bridge: 'bridge-1' })
  t.notMatch(JSON.stringify(letter), /secret/)
})

t.test('a turn that fails by its bridge\'s word, or is stopped, leaves no dead letter', async (t) => {
  const { world, edge, bridge, id, device } = await newChat(t, postgres)
  const failing = await send(edge, 'ann', id, 'too long')
  await (await bridge.run()).finish({ type: 'failed', error: { code: 'context_too_long', message: 'Too long.', retryable: false } })
  const stopped = await send(edge, 'ann', id, 'never mind')
  await edge.runtime.service.stop('ann', { type: 'turn.stop', turn_id: stopped.turn_id })
  await device.until(() => device.ends.has(failing.turn_id) && device.ends.has(stopped.turn_id))
  t.same((await world.bus.deadLetters().list({ limit: 10 })).letters, [])
})

t.test('the end of a turn waits for no dead letter: that follows when the bus is back', { timeout: 60_000 }, async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await world.edge('edge-1', { turnDeadlineMs: 1_500 })
  const device = new Device()
  const id = await create(edge)
  await open(edge, 'ann', id, device)
  world.bus.disconnect()
  const { turn_id } = await send(edge, 'ann', id, 'nobody comes')
  await device.until(() => device.ends.has(turn_id))
  world.bus.reconnect()
  t.match(await until(() => world.bus.deadLetters().get(turn_id)), { reason: 'deadline_exceeded', run: 0, bridge: null })
})

t.test('a dead letter survives the process that gave the turn up', { timeout: 60_000 }, async (t) => {
  const world = await newWorld(t, postgres)
  const first = await world.edge('edge-1', { turnDeadlineMs: 1_500 })
  const device = new Device()
  const id = await create(first)
  await open(first, 'ann', id, device)
  world.bus.disconnect()
  const { turn_id } = await send(first, 'ann', id, 'nobody comes')
  await device.until(() => device.ends.has(turn_id))
  await first.kill()
  world.bus.reconnect()
  await world.edge('edge-2')
  t.match(await until(() => world.bus.deadLetters().get(turn_id)), { conversationId: id, reason: 'deadline_exceeded' })
})

t.test('while letters cannot be sent, few are tried at a time and one line is logged', async (t) => {
  const letters = Array.from({ length: 1_000 }, (_, n): DeadLetter => ({ turnId: `turn-${n}`, conversationId: 1, lane: 'standard', reason: 'deadline_exceeded', attempt: 1, run: 0, bridge: null, failedAt: 0 }))
  const unsent = new Map(letters.map((letter) => [letter.turnId, letter]))
  const logger = recordedLogger()
  let away = true
  let sending = 0
  let most = 0
  const outbox = new DeadLetterOutbox({
    store: {
      unsentDeadLetters: ({ limit }) => Promise.resolve([...unsent.values()].slice(0, limit)),
      deadLetterSent: async (turnId) => void unsent.delete(turnId),
    },
    deadLetters: {
      add: async () => {
        sending += 1
        most = Math.max(most, sending)
        await new Promise(setImmediate)
        sending -= 1
        if (away) throw new BusError('disconnected', 'away')
      },
    },
    logger,
    now: () => 1_000_000,
  })
  for (const letter of letters) outbox.send(letter)
  await outbox.sendAll()
  await outbox.stop()
  t.equal(unsent.size, 1_000)
  t.equal(most, 256)
  t.equal(logger.lines.filter(({ level }) => level === 'warn').length, 1)
  away = false
  while (unsent.size > 0) {
    await outbox.sendAll()
    await outbox.stop()
  }
  t.equal(most, 256)
})
