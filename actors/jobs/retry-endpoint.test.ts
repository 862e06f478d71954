import t from 'tap'
import { decodeRetryReply, encodeBus } from '../../protocol/bus/codec.ts'
import { busVersion, retrySubject } from '../../protocol/bus/subjects.ts'
import { newTurnId } from '../../protocol/ids.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { create, Device, newWorld, open, send } from '../testing/edges.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

const failed = { type: 'failed', error: { code: 'engine_unavailable', message: 'Gone.', retryable: true } } as const

t.test('a turn that failed is retried as one new turn, whichever edge is asked and however often', async (t) => {
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1')
  const bridge = world.bridge()
  const channel = world.bus.channel()
  const device = new Device()
  const id = await create(owner)
  await open(owner, 'ann', id, device)
  const first = await send(owner, 'ann', id, 'go')
  await (await bridge.run()).finish(failed)
  await device.until(() => device.ends.has(first.turn_id))

  const retry = async (turn_id: string, conversation_id: number) => decodeRetryReply(await channel.request(retrySubject, encodeBus({ v: busVersion, turn_id, conversation_id }), { timeoutMs: 10_000 }))
  // Several edges share the requests: that of the owner, and one that has to pass them on.
  await world.edge('edge-2')
  const running = await send(owner, 'ann', id, 'something else meanwhile')
  const other = await bridge.run()
  other.say('under way')
  const replies = []
  for (let n = 0; n < 8; n += 1) replies.push(await retry(first.turn_id, id))
  const [accepted] = replies
  if (accepted?.type !== 'accepted') throw new Error(JSON.stringify(accepted))
  t.match(accepted, { duplicate: false })
  for (const reply of replies.slice(1)) t.match(reply, { type: 'accepted', turn_id: accepted.turn_id, duplicate: true })

  t.equal(await other.finish(), 'confirmed', 'the reply under way is not stopped for it')
  await device.until(() => device.ends.has(running.turn_id))
  t.match(device.ends.get(running.turn_id), { type: 'turn.finished', reason: 'stop' })
  const again = await bridge.run()
  t.equal(again.job.turnId, accepted.turn_id)
  t.match(again.granted.messages, [{ message_id: first.message_id, content: 'go' }])
  again.say('at last')
  t.equal(await again.finish(), 'confirmed')
  await device.until(() => device.ends.has(accepted.turn_id))
  const { messages } = await owner.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.match(messages.filter(({ parent_id, role }) => role === 'assistant' && parent_id === first.message_id).map(({ content }) => content), ['', 'at last'])
})

t.test('only a turn that failed is retried, and only in its own conversation', async (t) => {
  const world = await newWorld(t, postgres)
  const edge = await world.edge()
  const bridge = world.bridge()
  const channel = world.bus.channel()
  const [id, another] = [await create(edge), await create(edge)]
  const finished = await send(edge, 'ann', id, 'fine')
  await (await bridge.run()).finish()
  const dead = await send(edge, 'ann', id, 'not fine')
  await (await bridge.run()).finish(failed)
  const gone = await create(edge)
  const deadAndGone = await send(edge, 'ann', gone, 'not fine either')
  await (await bridge.run()).finish(failed)
  await edge.runtime.service.delete('ann', { type: 'conversation.delete', conversation_id: gone })
  for (const [turn_id, conversation_id] of [[finished.turn_id, id], [dead.turn_id, another], [newTurnId(3), id], [deadAndGone.turn_id, gone]] as const) {
    t.match(decodeRetryReply(await channel.request(retrySubject, encodeBus({ v: busVersion, turn_id, conversation_id }), { timeoutMs: 10_000 })), { type: 'refused', code: 'turn_not_found' })
  }
  t.equal(edge.runtime.counts().turns, 0)
})
