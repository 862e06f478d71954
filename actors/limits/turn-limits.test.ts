import { randomUUID } from 'node:crypto'
import t from 'tap'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { startRedisServer } from '../../tests/harness/redis-server.ts'
import type { Lane } from '../../protocol/bus/origin.ts'
import { ChatError } from '../../protocol/errors.ts'
import type { Limit } from '../../platform/limits/limits.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { RedisLeases } from '../../platform/limits/redis/redis-leases.ts'
import { RedisLimits } from '../../platform/limits/redis/redis-limits.ts'
import { startConnection } from '../../platform/redis/testing/redis.ts'
import type { ConversationService, TurnOrigin } from '../conversation-service.ts'
import { code, create, Device, newWorld, open } from '../testing/edges.ts'
import { limitParts, newLimitedChat } from '../testing/turn-limits.ts'
import { TurnAccounts } from './turn-accounts.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

/** How many it takes to get refused, and how. */
async function refusalOf(promise: Promise<unknown>): Promise<ChatError> {
  const error = await promise.then(() => null, (reason: unknown) => reason)
  if (!(error instanceof ChatError)) throw new Error(`not refused: ${String(error)}`)
  return error
}

const sender = (service: ConversationService, conversation: number, user = 'ann', origin?: TurnOrigin) => (text: string, key: string = randomUUID()) =>
  service.send(user, { type: 'message.send', conversation_id: conversation, client_message_id: key, text }, origin)

t.test('turns beyond the limit are refused with the time to wait, and repetitions get their first answer all the same', async (t) => {
  const { edge, bridge, id, service, refusals } = await newLimitedChat(t, postgres, { plan: { turns_per_minute: 3 } })
  const send = sender(service, id)
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
    const error = await refusalOf(start())
    t.equal(error.code, 'rate_limited')
    t.ok((error.retryAfterMs ?? 0) > 50_000)
  }
  t.match(await send('one', 'k'), { turn_id: first.turn_id, duplicate: true })
  t.match(await service.edit('ann', { type: 'message.edit', conversation_id: id, client_message_id: 'e', message_id: first.message_id, text: 'other' }), { duplicate: true })
  t.equal(await code(send('conflict', 'k')), 'idempotency_conflict')
  t.equal(await code(sender(service, id, 'bob')('a stranger knows the key', 'k')), 'conversation_not_found')
  t.match(await sender(service, await create(edge, 'bob'), 'bob')('another user'), { duplicate: false })
  t.same(new Set(refusals), new Set(['turns_per_minute']))
})

t.test('what is not accepted does not count', async (t) => {
  const { id, service } = await newLimitedChat(t, postgres, { plan: { turns_per_minute: 2, concurrent_turns: 3 } })
  for (let n = 0; n < 5; n += 1) t.equal(await code(sender(service, id + 1024)('nowhere')), 'conversation_not_found')
  const send = sender(service, id)
  for (const text of ['one', 'two']) await send(text)
  t.equal(await code(send('three')), 'rate_limited')
})

t.test('messages keep their order while the limit answers now late and now at once', async (t) => {
  const waits = [30, 0, 20, 0, 0]
  const uneven: Limit = {
    take: async () => {
      await new Promise((resolve) => setTimeout(resolve, waits.shift()))
      return { allowed: true, remaining: 1, resetMs: 1, retryAfterMs: 0 }
    },
    charge: () => Promise.resolve(),
    giveBack: () => Promise.resolve(),
  }
  const { id, service, edge } = await newLimitedChat(t, postgres, { plan: { turns_per_minute: 10 }, limits: { limit: () => uneven } })
  await open(edge, 'ann', id, new Device())
  const texts = ['a', 'b', 'c', 'd', 'e']
  await Promise.all(texts.map((text) => sender(service, id)(text)))
  const { messages } = await service.history('ann', { type: 'history.get', conversation_id: id })
  t.same(messages.map(({ content }) => content), texts)
})

t.test('as many turns as may be under way are, a repetition is one of them, and an end makes room', async (t) => {
  const { bridge, edge, id, service, settled, refusals } = await newLimitedChat(t, postgres, { plan: { concurrent_turns: 2 } })
  const other = await create(edge)
  const first = await sender(service, id)('one', 'k')
  await sender(service, other)('two')
  const error = await refusalOf(sender(service, id)('three'))
  t.match(error, { code: 'too_many_turns', retryAfterMs: Number })
  t.match(await sender(service, id)('one', 'k'), { duplicate: true })
  t.match(await service.edit('ann', { type: 'message.edit', conversation_id: id, client_message_id: 'e', message_id: first.message_id, text: 'it takes the place of the one it stops' }), { duplicate: false })
  t.equal(await code(sender(service, id)('three')), 'too_many_turns')
  for (let n = 0; n < 2; n += 1) {
    const run = await bridge.run()
    run.say('an answer')
    await run.finish()
  }
  await settled()
  for (const conversation of [id, other]) t.match(await sender(service, conversation)('room'), { duplicate: false })
  t.equal(await code(sender(service, other)('no room')), 'too_many_turns')
  t.same(new Set(refusals), new Set(['concurrent_turns']))
})

t.test('a turn that is stopped or fails makes room as well, and what was never accepted holds none', async (t) => {
  const { bridge, id, service, settled } = await newLimitedChat(t, postgres, { plan: { concurrent_turns: 1 } })
  for (let n = 0; n < 3; n += 1) t.equal(await code(sender(service, id + 1024)('nowhere')), 'conversation_not_found')
  const stopped = await sender(service, id)('one')
  await service.stop('ann', { type: 'turn.stop', turn_id: stopped.turn_id })
  await settled()
  await sender(service, id)('two')
  const run = await bridge.run()
  await run.finish({ type: 'failed', error: { code: 'engine_rejected', message: 'no', retryable: false } })
  await settled()
  t.match(await sender(service, id)('three'), { duplicate: false })
})

t.test('tokens are charged once they are known, and what was spent too much is missing', async (t) => {
  const { bridge, id, service, settled, refusals } = await newLimitedChat(t, postgres, { plan: { tokens_out_per_minute: 100, tokens_in_per_day: 1000 } })
  const send = sender(service, id)
  const reply = async (text: string): Promise<void> => {
    const run = await bridge.run()
    run.say(text)
    // The scripted bridge tells no usage: each code unit is a token.
    await run.finish()
    await settled()
  }
  await send('one')
  await reply('x'.repeat(60))
  await send('two')
  await reply('x'.repeat(60))
  t.match(await refusalOf(send('three')), { code: 'rate_limited', retryAfterMs: Number })
  t.same(refusals, ['tokens_out_per_minute'])
})

t.test('input is guessed when it comes, so that no burst spends without bound, and a day that is used up is no matter of a minute', async (t) => {
  const { id, service } = await newLimitedChat(t, postgres, { plan: { tokens_in_per_day: 100 } })
  const send = sender(service, id)
  await send('x'.repeat(200))
  const large = await refusalOf(send('x'.repeat(240)))
  t.match(large, { code: 'quota_exceeded' })
  t.equal(large.definition.retryable, false)
  t.ok((large.retryAfterMs ?? 0) > 86_000_000)
  await sender(service, id, 'ann', { historyBytes: 190 })('x'.repeat(10))
  t.equal(await code(send('x')), 'quota_exceeded')
})

t.test('a reply that no engine wrote costs no tokens', async (t) => {
  const { windows, id, service, edge, leases } = await newLimitedChat(t, postgres, { plan: { tokens_out_per_minute: 10 } })
  const accounts = new TurnAccounts(leases, windows, testPlans({ tokens_out_per_minute: 10 }))
  const ended = { userId: 'ann', conversationId: id, clientMessageId: 'x', usage: { prompt_tokens: 5, completion_tokens: 50 }, tokens: 50 }
  await accounts.ended({ ...ended, cached: true })
  t.match(await sender(service, id)('one'), { duplicate: false })
  await accounts.ended({ ...ended, cached: false })
  t.equal(await code(sender(service, await create(edge))('two')), 'rate_limited')
})

t.test('the plan of the credentials says how much, in which lane, and how long a reply may be', async (t) => {
  const { bridge, edge, id, service } = await newLimitedChat(t, postgres, { plan: { turns_per_minute: 1, max_tokens: 50 }, plans: { gold: { turns_per_minute: 3, lane: 'premium', max_tokens: 4000 } } })
  const gold = { identity: { userId: 'ann', actsForOthers: false, plan: 'gold', keyId: null } }
  const send = (max_tokens?: number) => service.send('ann', { type: 'message.send', conversation_id: id, client_message_id: randomUUID(), text: 'hello', ...(max_tokens === undefined ? {} : { params: { max_tokens } }) }, gold)
  const asked = async (lane: Lane) => {
    const run = await bridge.run(lane)
    await run.finish()
    return run.granted.params.max_tokens
  }
  await send()
  t.equal(await asked('premium'), 1024)
  await send(3000)
  t.equal(await asked('premium'), 3000)
  await send(9000)
  t.equal(await asked('premium'), 4000)
  t.equal(await code(send()), 'rate_limited')
  await sender(service, await create(edge, 'bob'), 'bob', { lane: 'premium' })('of the default plan, whatever it asks for')
  t.equal(await asked('standard'), 50)
  await sender(service, await create(edge, 'eve'), 'eve', { lane: 'batch' })('that can wait')
  t.equal(await asked('batch'), 50)
})

t.test('a key that acts for others is limited as a whole, and none of its users takes what the others may', async (t) => {
  const { edge, service } = await newLimitedChat(t, postgres, { plan: { turns_per_minute: 2 }, plans: { partner: { turns_per_minute: 5, concurrent_turns: 4 } } })
  const origin = { identity: { userId: null, actsForOthers: true, plan: 'partner', keyId: 'k1' } }
  const [ann, bob, eve] = await Promise.all(['ann', 'bob', 'eve'].map(async (user) => sender(service, await create(edge, user), user, origin)))
  if (ann === undefined || bob === undefined || eve === undefined) throw new Error('three were made')
  await ann('1')
  await ann('2')
  t.equal(await code(ann('3')), 'rate_limited')
  await bob('1')
  await bob('2')
  t.equal(await code(eve('1')), 'too_many_turns')
  t.match(await sender(service, await create(edge, 'eve'), 'eve')('without the key'), { duplicate: false })
})

t.test('who goes on when refused costs a look at nothing, and is allowed again in time', async (t) => {
  let takes = 0
  const refusing: Limit = {
    take: () => {
      takes += 1
      return Promise.resolve({ allowed: false, remaining: 0, resetMs: 60_000, retryAfterMs: 60_000 })
    },
    charge: () => Promise.resolve(),
    giveBack: () => Promise.resolve(),
  }
  const parts = limitParts({ plan: { turns_per_minute: 1 }, limits: { limit: () => refusing } })
  const world = await newWorld(t, postgres)
  const edge = await world.edge()
  const id = await create(edge)
  let [lookUps, underWay, mostUnderWay] = [0, 0, 0]
  const acceptedTurn = async (): Promise<null> => {
    lookUps += 1
    mostUnderWay = Math.max(mostUnderWay, (underWay += 1))
    await new Promise(setImmediate)
    underWay -= 1
    return null
  }
  const send = sender(parts.door({ ...edge, store: { ...edge.store, acceptedTurn } }, 20), id)
  t.same(new Set(await Promise.all(Array.from({ length: 100 }, () => code(send('again'))))), new Set(['rate_limited']))
  t.equal(mostUnderWay, 1)
  t.equal(takes, 1)
  t.equal(lookUps, 20)
  t.equal(parts.refusals.length, 100, 'each refusal is counted all the same')
})

t.test('edges share the limits of a user, whichever of them owns the conversation and ends the turn', async (t) => {
  const redis = await startRedisServer(t)
  const shared = async () => {
    const { connection } = await startConnection(t, redis.url, { timeoutMs: 5_000 })
    return limitParts({ plan: { concurrent_turns: 1, tokens_out_per_minute: 10 }, limits: new RedisLimits(connection, { monotonic: () => performance.now() }), leases: new RedisLeases(connection) })
  }
  const [here, there] = [await shared(), await shared()]
  const world = await newWorld(t, postgres)
  const owner = await world.edge('edge-1', { onTurnEnded: here.onTurnEnded })
  const other = await world.edge('edge-2', { onTurnEnded: there.onTurnEnded })
  const bridge = world.bridge()
  const id = await create(owner)
  await open(owner, 'ann', id, new Device())
  const [atOwner, atOther] = [sender(here.door(owner), id), sender(there.door(other), id)]
  await atOther('one')
  t.equal(await code(atOwner('two')), 'too_many_turns')
  const run = await bridge.run()
  run.say('x'.repeat(20))
  await run.finish()
  await here.settled()
  t.equal(await code(atOther('three')), 'rate_limited')
  t.equal(await code(atOwner('three')), 'rate_limited')
})

t.test('without Redis nothing is refused for what is under way elsewhere', async (t) => {
  const redis = await startRedisServer(t)
  const { connection } = await startConnection(t, redis.url)
  await redis.kill()
  const { service, id, edge } = await newLimitedChat(t, postgres, { plan: { concurrent_turns: 1, turns_per_minute: 2 }, limits: new RedisLimits(connection, { monotonic: () => performance.now() }), leases: new RedisLeases(connection) })
  await sender(service, id)('one')
  await sender(service, await create(edge))('two')
  t.equal(await code(sender(service, id)('three')), 'rate_limited')
})
