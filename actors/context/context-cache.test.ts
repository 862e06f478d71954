import { randomUUID } from 'node:crypto'
import fc from 'fast-check'
import t from 'tap'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { startRedisServer } from '../../tests/harness/redis-server.ts'
import type { Cache } from '../../platform/cache/cache.ts'
import { MemoryCache } from '../../platform/cache/memory/memory-cache.ts'
import { RedisCache } from '../../platform/cache/redis/redis-cache.ts'
import { recordedLogger } from '../../platform/logging/testing/recorded-logger.ts'
import { createMetrics } from '../../platform/metrics/metrics.ts'
import { newConnection, startConnection } from '../../platform/redis/testing/redis.ts'
import type { PostgresStorage } from '../../storage/postgres/storage.ts'
import { newDatabase, startStorage } from '../../storage/testing/postgres-shards.ts'
import { acceptTurn, endTurn, ownConversation, type Owned } from '../../storage/testing/writes.ts'
import type { Turn } from '../conversation/turn.ts'
import { create, Device, newWorld, open, send } from '../testing/edges.ts'
import { ContextCache, contextMessage, type ContextCacheOptions, storedContexts } from './context-cache.ts'
import { decodeContextEntry } from './context-entry.ts'
import type { PageLimits } from './context-path.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

const newMemory = (): MemoryCache => new MemoryCache({ maxBytes: 16 * 1024 * 1024 })

function newContexts(options: Pick<ContextCacheOptions, 'store' | 'cache'> & Partial<ContextCacheOptions>) {
  const metrics = createMetrics({ role: 'test', node: 'test' })
  const contexts = new ContextCache({ timelineOf: () => 'timeline', metrics, sharedFrom: 1, ...options })
  /** How many contexts were found where. */
  const found = async (): Promise<Record<string, number>> => Object.fromEntries([...(await metrics.expose()).matchAll(/^chatterbot_contexts_total\{found="(\w+)".*\} (\d+)$/gm)].map(([, where, count]) => [where, Number(count)]))
  return { contexts, found }
}

/** A turn accepted and granted, as an actor would: its context is asked of one process, its end told to another. */
async function exchange(owned: Owned, asked: ContextCache, ended: ContextCache, user: { readonly content: string; readonly parentId: number | null; readonly existing?: number }, reply: string, accepted: ContextCache = asked) {
  const accept = acceptTurn(owned.id, user)
  const result = await owned.write({ accept })
  if (result.status !== 'committed' || result.accepted === undefined) throw new Error(result.status)
  accepted.committed(owned.id, [], { accept }, result)
  const turn = { turnId: accept.turnId, parentId: user.parentId, ...result.accepted } as unknown as Turn
  const path = await asked.path(owned.id, turn)
  const ends = [endTurn(accept.turnId, 0, reply)]
  ended.committed(owned.id, [turn], { ends }, await owned.write({ ends }))
  return { turn, path }
}

t.test('whatever grows where, and whatever is forgotten, contexts are exactly what Postgres says', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger: recordedLogger() })
  const step = fc.record({ from: fc.nat(), root: fc.nat(9), again: fc.nat(5), content: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }).filter((text) => !text.includes('\0')), reply: fc.string({ maxLength: 12 }).filter((text) => !text.includes('\0')), here: fc.nat(2), there: fc.nat(2), forgets: fc.nat(3) })
  const totals: Record<string, number> = {}
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 25 }), fc.integer({ min: 1, max: 8 }), fc.integer({ min: 0, max: 60 }), async (steps, limit, maxBytes) => {
      const page: PageLimits = { limit, maxBytes }
      const cache = newMemory()
      const fresh = () => newContexts({ store, cache, page, keptBytes: 4_000 })
      const processes = [fresh(), fresh(), fresh()]
      const owned = await ownConversation(store)
      const messages: { readonly id: number; readonly parentId: number | null; readonly role: 'user' | 'assistant' }[] = []
      for (const { from, root, again, content, reply, here, there, forgets } of steps) {
        const leaf = root === 0 ? null : (messages.at(from % 3 === 0 ? from : -1) ?? null)
        const users = messages.filter(({ role }) => role === 'user')
        const existing = again === 0 ? users[from % users.length] : undefined
        const [asked, ended] = [processes[here], processes[there]]
        if (asked === undefined || ended === undefined) throw new Error('three were made')
        const user = existing === undefined ? { content, parentId: leaf?.id ?? null } : { content, parentId: existing.parentId, existing: existing.id }
        const { turn, path } = await exchange(owned, asked.contexts, ended.contexts, user, reply)
        const stored = await store.path(owned.id, { leaf: turn.userMessageId, ...page })
        t.same(path, { messages: stored.messages.map(contextMessage), more: stored.more })
        if (existing === undefined) messages.push({ id: turn.userMessageId, parentId: user.parentId, role: 'user' })
        messages.push({ id: turn.replyMessageId, parentId: turn.userMessageId, role: 'assistant' })
        if (forgets === 0) processes[here] = fresh()
      }
      for (const { found } of processes) for (const [where, count] of Object.entries(await found())) totals[where] = (totals[where] ?? 0) + count
    }),
    { numRuns: 20 },
  )
  for (const where of ['here', 'shared', 'stored']) t.ok((totals[where] ?? 0) > 0, `${where}: ${totals[where]}`)
})

t.test('a conversation that stays where it is asks neither Postgres nor the shared cache; one that moved asks the shared cache', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger: recordedLogger() })
  const shared = newMemory()
  const asked: string[] = []
  let kept = (): void => undefined
  const cache: Cache = {
    get: (key) => {
      asked.push(key)
      return shared.get(key)
    },
    put: async (key, bytes, ttlMs) => {
      await shared.put(key, bytes, ttlMs)
      kept()
    },
    delete: (key) => shared.delete(key),
  }
  const [one, two] = [newContexts({ store, cache }), newContexts({ store, cache })]
  const owned = await ownConversation(store)
  let parentId: number | null = null
  for (let n = 0; n < 5; n += 1) {
    const written = new Promise<void>((resolve) => (kept = resolve))
    const { turn }: { readonly turn: Turn } = await exchange(owned, one.contexts, one.contexts, { content: `question ${n}`, parentId }, `answer ${n}`)
    await written
    parentId = turn.replyMessageId
  }
  t.same(await one.found(), { here: 5 })
  t.same(asked, [])
  const moved = await exchange(owned, two.contexts, two.contexts, { content: 'elsewhere', parentId }, 'here')
  t.equal(moved.path.messages.length, 11)
  t.same(await two.found(), { shared: 1 })
  t.equal(asked.length, 1)
})

t.test('a short path is not written for others, as the store tells it as quickly', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger: recordedLogger() })
  let kept: (bytes: Uint8Array) => void = () => undefined
  const cache: Cache = { get: () => Promise.resolve(null), put: (_, bytes) => Promise.resolve(kept(bytes)), delete: () => Promise.resolve() }
  const contexts = new ContextCache({ store, cache, timelineOf: () => 'timeline', metrics: createMetrics({ role: 'test', node: 'test' }) })
  const owned = await ownConversation(store)
  const first = new Promise<Uint8Array>((resolve) => (kept = resolve))
  let parentId: number | null = null
  for (let n = 0; n < 4; n += 1) {
    const { turn }: { readonly turn: Turn } = await exchange(owned, contexts, contexts, { content: `question ${n}`, parentId }, `answer ${n}`)
    parentId = turn.replyMessageId
  }
  t.equal((await decodeContextEntry(owned.id, await first))?.messages.length, 8)
})

t.test('of a deleted conversation no entry stays behind', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger: recordedLogger() })
  const kept: string[] = []
  const memory = newMemory()
  let put: () => void = () => undefined
  const cache: Cache = {
    get: (key) => memory.get(key),
    put: async (key, bytes, ttlMs) => {
      await memory.put(key, bytes, ttlMs)
      kept.push(key)
      put()
    },
    delete: (key) => memory.delete(key),
  }
  const { contexts } = newContexts({ store, cache })
  const owned = await ownConversation(store)
  await exchange(owned, contexts, contexts, { content: 'secret', parentId: null }, 'kept')
  while (kept.length < 1) await new Promise<void>((resolve) => void (put = resolve))
  t.ok(await memory.get(kept[0] as string))
  contexts.committed(owned.id, [], { remove: true }, await owned.write({ remove: true }))
  t.equal(await memory.get(kept[0] as string), null)
})

t.test('an entry of before a failover, of another conversation, or of anybody, is not used', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger: recordedLogger() })
  let kept = (_key: string): void => undefined
  let garbage: Uint8Array | null = null
  const shared = newMemory()
  const cache: Cache = {
    get: async (key) => garbage ?? shared.get(key),
    put: async (key, bytes, ttlMs) => {
      await shared.put(key, bytes, ttlMs)
      kept(key)
    },
    delete: (key) => shared.delete(key),
  }
  let timeline: string | null = 'before'
  const options = { store, cache, timelineOf: () => timeline }
  const one = newContexts(options)
  const [owned, other] = [await ownConversation(store), await ownConversation(store)]
  const written = new Promise<string>((resolve) => (kept = resolve))
  const { turn } = await exchange(owned, one.contexts, one.contexts, { content: 'question', parentId: null }, 'answer')
  t.match(await written, /:before:/)
  const again = { parentId: turn.replyMessageId }
  timeline = 'after'
  const { contexts, found } = newContexts(options)
  await exchange(owned, contexts, contexts, { content: 'after a failover', ...again }, 'fresh')
  t.same(await found(), { stored: 1 })
  timeline = null
  await exchange(owned, contexts, contexts, { content: 'while the database is in doubt', ...again }, 'fresh')
  t.same(await found(), { stored: 2 })
  timeline = 'before'
  const foreign = newContexts({ store, cache: { ...cache, get: () => shared.get(`context:1:before:${owned.id}`) } })
  await exchange(other, foreign.contexts, foreign.contexts, { content: 'mine', parentId: (await exchange(other, one.contexts, one.contexts, { content: 'mine', parentId: null }, 'yours')).turn.replyMessageId }, 'yours')
  t.same(await foreign.found(), { stored: 1 })
  for (const bytes of [new Uint8Array(1), Buffer.from('garbage'), new Uint8Array(1024 * 1024).fill(255)]) {
    garbage = bytes
    const { contexts: reader, found: where } = newContexts(options)
    const { path } = await exchange(owned, reader, reader, { content: 'through garbage', ...again }, 'fine')
    t.same(path.messages.map(({ content }) => content), ['question', 'answer', 'through garbage'])
    t.same(await where(), { stored: 1 })
  }
})

t.test('turns of an edge are begun with what was said, and after the edge has died another finds it in Redis', async (t) => {
  const redis = await startRedisServer(t)
  const finds: (() => Promise<Record<string, number>>)[] = []
  const cache = new RedisCache((await startConnection(t, redis.url, { timeoutMs: 2_000 })).connection)
  const makeContexts = (storage: PostgresStorage): ContextCache => {
    const { contexts, found } = newContexts({ store: storage.store, cache, timelineOf: (id) => storage.liveness.timelineOf(id) })
    finds.push(found)
    return contexts
  }
  const world = await newWorld(t, postgres, 2)
  const [first, bridge] = [await world.edge('edge-1', { makeContexts }), world.bridge()]
  const id = await create(first)
  const say = async (edge: typeof first, text: string, reply: string) => {
    await send(edge, 'ann', id, text)
    const run = await bridge.run()
    run.say(reply)
    await run.finish()
    return run.granted.messages.map(({ content }) => content)
  }
  t.same(await say(first, 'a', 'A'), ['a'])
  t.same(await say(first, 'b', 'B'), ['a', 'A', 'b'])
  // The first of two ends while the second waits.
  await Promise.all([send(first, 'ann', id, 'c'), send(first, 'ann', id, 'd')])
  for (const expected of [5, 7]) {
    const run = await bridge.run()
    t.equal(run.granted.messages.length, expected)
    await run.finish()
  }
  t.same(await finds[0]?.(), { here: 4 })
  await first.stop()
  const second = await world.edge('edge-2', { makeContexts })
  t.same(await say(second, 'e', 'E'), ['a', 'A', 'b', 'B', 'c', '', 'd', '', 'e'])
  t.same(await finds[1]?.(), { shared: 1 })
})

t.test('Redis killed, halted and back, under load: no turn fails, and no begin waits much longer', async (t) => {
  const redis = await startRedisServer(t)
  const made = newConnection(t, redis.url)
  await made.connection.start()
  // Nothing is kept in the process, so that every context is looked for in Redis.
  const makeContexts = (storage: PostgresStorage): ContextCache => newContexts({ store: storage.store, cache: new RedisCache(made.connection), timelineOf: (id) => storage.liveness.timelineOf(id), keptBytes: 1_000 }).contexts
  const world = await newWorld(t, postgres)
  const edge = await world.edge('edge-1', { makeContexts })
  const bridge = world.bridge()
  let begun = 0
  let running = true
  const chats = Array.from({ length: 8 }, async () => {
    const id = await create(edge)
    const device = new Device()
    await open(edge, 'ann', id, device)
    while (running) {
      const { turn_id } = await send(edge, 'ann', id, randomUUID())
      await device.until(() => device.ends.has(turn_id))
      t.equal(device.ends.get(turn_id)?.type, 'turn.finished')
    }
  })
  const working = Array.from({ length: 8 }, async () => {
    while (running) {
      const job = await bridge.take()
      const reply = await bridge.ask(job)
      begun += 1
      if (reply.type !== 'granted') throw new Error(reply.type)
      const run = bridge.hold(job, reply)
      run.say('a reply')
      t.equal(await run.finish(), 'confirmed')
    }
  })
  /** Requests to Redis that were waited for in vain while so many turns were begun. */
  const waitedInVain = async (turns: number): Promise<number> => {
    const count = async (): Promise<number> => Number(/chatterbot_redis_failures_total\{kind="timeout".*\} (\d+)/.exec(await made.metrics.expose())?.[1] ?? 0)
    const [before, until] = [await count(), begun + turns]
    while (begun < until) await new Promise((resolve) => setTimeout(resolve, 20))
    return (await count()) - before
  }
  await waitedInVain(50)
  redis.signal('SIGSTOP')
  // Those under way meet the silence before the circuit opens; then one at a time, at longer and longer intervals.
  const halted = await waitedInVain(400)
  t.ok(halted >= 3 && halted <= 40, `${halted} of 400 begins and 400 ends`)
  await redis.kill()
  t.ok((await waitedInVain(100)) <= 5, 'killed')
  await redis.start()
  await waitedInVain(100)
  running = false
  // Each waits for the other, so that the last sends are answered and the last takes get something.
  await Promise.race([Promise.all(chats), new Promise((resolve) => setTimeout(resolve, 5_000))])
  for (let n = 0; n < 8; n += 1) await send(edge, 'ann', await create(edge), 'the last').catch(() => undefined)
  await Promise.all([...chats, ...working])
})

t.test('without a cache contexts come from Postgres', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger: recordedLogger() })
  const owned = await ownConversation(store)
  const { userMessageId, replyMessageId } = await owned.exchange('question', 'answer')
  t.match(await storedContexts(store).path(owned.id, { userMessageId: replyMessageId, parentId: userMessageId }), { messages: [{ role: 'user' }, { role: 'assistant' }], more: null })
})
