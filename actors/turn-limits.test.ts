import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startPostgres, type PostgresServer } from '../tests/harness/postgres.ts'
import { ChatError } from '../protocol/errors.ts'
import type { Limit } from '../platform/limits/limits.ts'
import { MemoryLimits } from '../platform/limits/memory/memory-limits.ts'
import { limitTurns } from './turn-limits.ts'
import { code, create, newChat } from './testing/edges.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

const limitOf = (points: number): Limit => new MemoryLimits({ monotonic: () => performance.now() }).limit({ name: 'turns', points, perSeconds: 60 })

t.test('turns beyond the limit are refused with the time to wait, and repetitions get their first answer all the same', async (t) => {
  const { edge, bridge, id } = await newChat(t, postgres)
  const service = limitTurns(edge.runtime.service, { limit: limitOf(3), store: edge.store })
  const send = (text: string, key: string = randomUUID(), user = 'ann', conversation = id) => service.send(user, { type: 'message.send', conversation_id: conversation, client_message_id: key, text })
  const first = await send('one', 'k')
  for (let n = 0; n < 10; n += 1) t.equal((await send('one', 'k')).duplicate, true)
  const run = await bridge.run()
  run.say('an answer')
  await run.finish()
  await service.edit('ann', { type: 'message.edit', conversation_id: id, client_message_id: 'e', message_id: first.message_id, text: 'other' })
  await service.regenerate('ann', { type: 'turn.regenerate', conversation_id: id, client_message_id: 'r', message_id: first.message_id })

  const beyond = [
    () => send('four'),
    () => service.edit('ann', { type: 'message.edit', conversation_id: id, client_message_id: 'e2', message_id: first.message_id, text: 'more' }),
    () => service.regenerate('ann', { type: 'turn.regenerate', conversation_id: id, client_message_id: 'r2', message_id: first.message_id }),
  ]
  for (const start of beyond) {
    const error = await start().then(() => null, (reason: unknown) => reason)
    if (!(error instanceof ChatError)) throw new Error('not refused')
    t.equal(error.code, 'rate_limited')
    t.ok((error.retryAfterMs ?? 0) > 50_000)
  }
  t.match(await send('one', 'k'), { turn_id: first.turn_id, duplicate: true })
  t.match(await service.edit('ann', { type: 'message.edit', conversation_id: id, client_message_id: 'e', message_id: first.message_id, text: 'other' }), { duplicate: true })
  t.equal(await code(send('conflict', 'k')), 'idempotency_conflict')
  t.equal(await code(send('a stranger knows the key', 'k', 'bob')), 'conversation_not_found')
  t.match(await send('another user', randomUUID(), 'bob', await create(edge, 'bob')), { duplicate: false })
})

t.test('what is not accepted does not count', async (t) => {
  const { edge, id } = await newChat(t, postgres)
  const service = limitTurns(edge.runtime.service, { limit: limitOf(2), store: edge.store })
  for (let n = 0; n < 5; n += 1) t.equal(await code(service.send('ann', { type: 'message.send', conversation_id: id + 1024, client_message_id: randomUUID(), text: 'nowhere' })), 'conversation_not_found')
  for (const text of ['one', 'two']) await service.send('ann', { type: 'message.send', conversation_id: id, client_message_id: randomUUID(), text })
  t.equal(await code(service.send('ann', { type: 'message.send', conversation_id: id, client_message_id: randomUUID(), text: 'three' })), 'rate_limited')
})

t.test('messages keep their order while the limit answers now late and now at once', async (t) => {
  const { edge, id } = await newChat(t, postgres)
  const waits = [30, 0, 20, 0, 0]
  const uneven: Limit = {
    take: async () => {
      await new Promise((resolve) => setTimeout(resolve, waits.shift()))
      return { allowed: true, remaining: 1, resetMs: 1, retryAfterMs: 0 }
    },
    charge: () => Promise.resolve(),
    giveBack: () => Promise.resolve(),
  }
  const service = limitTurns(edge.runtime.service, { limit: uneven, store: edge.store })
  const texts = ['a', 'b', 'c', 'd', 'e']
  await Promise.all(texts.map((text) => service.send('ann', { type: 'message.send', conversation_id: id, client_message_id: randomUUID(), text })))
  const { messages } = await service.history('ann', { type: 'history.get', conversation_id: id })
  t.same(messages.map(({ content }) => content), texts)
})
