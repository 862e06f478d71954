import fc from 'fast-check'
import t from 'tap'
import { bucketCount, bucketOfUser } from '../../protocol/ids.ts'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { OwnerToken } from '../conversation-store.ts'
import { CuttingProxy } from '../testing/cutting-proxy.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { acceptTurn, claimed, createConversation, endTurn, Owned, ownConversation, unique } from '../testing/writes.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

t.test('what a live node owns is claimed by force only', async (t) => {
  const url = await newDatabase(postgres)
  const [a, b] = await Promise.all([startStorage(t, [url], { logger, node: 'a', bootId: 'a1' }), startStorage(t, [url], { logger, node: 'b' })])
  const owned = await ownConversation(a.store)
  t.same(await b.store.claim(owned.id), { status: 'owned', node: 'a', bootId: 'a1' })
  t.match(await b.store.claim(owned.id, { force: true }), { status: 'claimed', token: { epoch: 2, node: 'b' } })
  t.match(await a.store.claim(owned.id), { status: 'owned', node: 'b' })
  t.same(await owned.write({ title: 'too late' }), { status: 'stale' })
})

t.test('an owner is dead by the server\'s clock: without a sign of life for 5 s, or with one from the future', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const client = await connectTo(t, url)
  const claimFrom = async (sign: string | null): Promise<string> => {
    const { conversationId } = await createConversation(store)
    await client.query(`UPDATE conversations SET owner_node = 'ghost', owner_boot = 'boot', owner_epoch = 7 WHERE id = $1`, [conversationId])
    await client.query('DELETE FROM nodes WHERE node = $1', ['ghost'])
    if (sign !== null) await client.query(`INSERT INTO nodes VALUES ('ghost', 'boot', clock_timestamp() + $1::interval)`, [sign])
    const result = await store.claim(conversationId)
    if (result.status === 'claimed') t.equal(result.token.epoch, 8)
    return result.status
  }
  t.equal(await claimFrom('-1 second'), 'owned')
  t.equal(await claimFrom('-6 seconds'), 'claimed')
  t.equal(await claimFrom('1 minute'), 'claimed')
  t.equal(await claimFrom(null), 'claimed')
})

t.test('a node that starts again takes over from its earlier boot at once', async (t) => {
  const url = await newDatabase(postgres)
  const before = await startStorage(t, [url], { logger, node: 'a', bootId: 'one' })
  const owned = await ownConversation(before.store)
  const after = await startStorage(t, [url], { logger, node: 'a', bootId: 'two' })
  t.match(await after.store.claim(owned.id), { status: 'claimed', token: { epoch: 2, bootId: 'two' } })
})

t.test('a conversation in a bucket that the shard does not own can be neither made nor claimed', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const row = await createConversation(store, 'moved user')
  const client = await connectTo(t, url)
  await client.query('DELETE FROM owned_buckets WHERE bucket = $1', [row.conversationId % 1024])
  await t.rejects(store.claim(row.conversationId), { code: 'unavailable' })
  await t.rejects(createConversation(store, 'moved user'), { code: 'unavailable' })
  t.match(await createConversation(store, 'another user'), { userId: 'another user' })
})

t.test('a claim waits for the write in flight, and loads what it left', async (t) => {
  const url = await newDatabase(postgres)
  const [a, b] = await Promise.all([startStorage(t, [url], { logger, node: 'a' }), startStorage(t, [url], { logger, node: 'b' })])
  for (let n = 0; n < 20; n += 1) {
    const owned = await ownConversation(a.store)
    const accept = acceptTurn(owned.id)
    const [written, claim] = await Promise.all([owned.write({ accept }), b.store.claim(owned.id, { force: true })])
    const { unfinished } = claimed(claim)
    t.same(unfinished.map(({ turnId }) => turnId), written.status === 'committed' ? [accept.turnId] : [])
    t.ok(written.status === 'committed' || written.status === 'stale')
  }
})

t.test('two owners that both believe: at most one writes at a time, nothing is lost, and ids rise with epochs', async (t) => {
  const url = await newDatabase(postgres)
  const [a, b] = await Promise.all([startStorage(t, [url], { logger, node: 'a' }), startStorage(t, [url], { logger, node: 'b' })])
  const step = fc.record({ conversation: fc.nat(1), what: fc.constantFrom('claim', 'write', 'write', 'write', 'finish'), pause: fc.nat(3) })
  const script = fc.array(step, { minLength: 3, maxLength: 20 })
  const property = fc.asyncProperty(script, script, async (scriptOfA, scriptOfB) => {
    const rows = await Promise.all([createConversation(a.store), createConversation(a.store)])
    const accepted: { readonly conversationId: number; readonly epoch: number; readonly node: string; readonly user: number; readonly reply: number; readonly turnId: string; readonly ended: boolean }[] = []
    const play = async (store: typeof a.store, steps: typeof scriptOfA): Promise<void> => {
      const tokens = new Map<number, OwnerToken>()
      const open = new Map<number, string>()
      for (const { conversation, what, pause } of steps) {
        for (let n = 0; n < pause; n += 1) await new Promise((resolve) => setImmediate(resolve))
        const row = rows[conversation] as (typeof rows)[number]
        const id = row.conversationId
        const token = tokens.get(id)
        if (what === 'claim' || token === undefined) {
          tokens.set(id, claimed(await store.claim(id, { force: true })).token)
          continue
        }
        const owned = new Owned(store, row, token)
        const accept = acceptTurn(id)
        const ending = what === 'finish' ? open.get(id) : undefined
        const result = await owned.write({ accept, ...(ending === undefined ? {} : { ends: [endTurn(ending, 0)] }) })
        if (result.status === 'committed' && result.accepted !== undefined) {
          open.set(id, accept.turnId)
          accepted.push({ conversationId: id, epoch: token.epoch, node: token.node, user: result.accepted.userMessageId, reply: result.accepted.replyMessageId, turnId: accept.turnId, ended: ending !== undefined })
        } else {
          // An owner that has lost its conversation may find its turn ended by the other, but then it is stale too.
          t.equal(result.status, 'stale')
        }
      }
    }
    await Promise.all([play(a.store, scriptOfA), play(b.store, scriptOfB)])
    for (const { conversationId } of rows) {
      const mine = accepted.filter((each) => each.conversationId === conversationId).sort((x, y) => x.user - y.user)
      const { messages } = await a.store.messagesBefore(conversationId, { limit: 1000, maxBytes: 1 << 24 })
      t.same(messages.filter(({ role }) => role === 'user').map(({ message_id }) => message_id), mine.map(({ user }) => user))
      t.equal(messages.filter(({ role }) => role === 'assistant').length, mine.filter(({ ended }) => ended).length)
      t.same(mine.map(({ epoch }) => epoch), mine.map(({ epoch }) => epoch).sort((x, y) => x - y))
      t.ok(mine.every(({ user, reply }) => user < reply))
      const nodes = new Map<number, string>()
      for (const { epoch, node } of mine) t.equal(nodes.get(epoch) ?? node, nodes.set(epoch, node).get(epoch))
      t.equal((await a.store.conversation(conversationId))?.lastMessageId ?? undefined, mine.at(-1)?.reply)
    }
  })
  await fc.assert(property, { numRuns: 30 })
})

t.test('claims, releases and writes of many conversations, in whatever order they are asked for, do not wait for one another for ever', async (t) => {
  const url = await newDatabase(postgres)
  const [a, b] = await Promise.all([startStorage(t, [url], { logger, node: 'a' }), startStorage(t, [url], { logger, node: 'b' })])
  const rows = await Promise.all(Array.from({ length: 200 }, () => createConversation(a.store)))
  const client = await connectTo(t, url)
  const play = async (store: typeof a.store, order: typeof rows): Promise<void> => {
    for (let n = 0; n < 8; n += 1) {
      await Promise.all(
        order.map(async (row) => {
          const owned = new Owned(store, row, claimed(await store.claim(row.conversationId, { force: true })).token)
          const { status } = await owned.write({ accept: acceptTurn(owned.id) })
          if (status !== 'committed' && status !== 'stale') throw new Error(status)
          await store.release(owned.id, owned.token)
        }),
      )
    }
  }
  await Promise.all([play(a.store, rows), play(b.store, [...rows].reverse())])
  const { rows: statistics } = await client.query('SELECT deadlocks::integer FROM pg_stat_database WHERE datname = current_database()')
  t.same(statistics, [{ deadlocks: 0 }])
})

t.test('a release is done only by the owner', async (t) => {
  const urls = [await newDatabase(postgres), await newDatabase(postgres)]
  const [a, b] = await Promise.all([startStorage(t, urls, { logger, node: 'a' }), startStorage(t, urls, { logger, node: 'b' })])
  const owners = await Promise.all(Array.from({ length: 50 }, () => ownConversation(a.store)))
  await Promise.all(owners.map((owned, n) => b.store.release(owned.id, n % 2 === 0 ? { ...owned.token, node: 'b' } : owned.token)))
  const claims = await Promise.all(owners.map((owned) => b.store.claim(owned.id)))
  t.same(claims.map(({ status }) => status), owners.map((_, n) => (n % 2 === 0 ? 'owned' : 'claimed')))
  const tokens = new Map(owners.map(({ id, token }) => [id, token]))
  t.same([...(await a.store.stillOwned(tokens)).owned].sort(), owners.filter((_, n) => n % 2 === 0).map(({ id }) => id).sort())
  t.equal((await a.store.stillOwned(new Map())).owned.size, 0)
})

t.test('a sign of life that cannot be renewed for 4 s is noticed, by a clock that cannot jump', async (t) => {
  const url = await newDatabase(postgres)
  let ahead = 0
  const clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() + ahead }
  const storage = await startStorage(t, [url], { logger, clock })
  const owned = await ownConversation(storage.store)
  t.notOk(storage.liveness.lapsedFor(owned.id))
  await postgres.kill()
  ahead = 4_000
  t.ok(storage.liveness.lapsedFor(owned.id))
  t.ok(storage.liveness.lapsedFor())
  t.same(storage.liveness.lapsed, ['shard-1'])
  t.equal(storage.liveness.timelineOf(owned.id), null, 'another server may take over now')
  await postgres.restart()
  while (storage.liveness.lapsedFor(owned.id)) await new Promise((resolve) => setTimeout(resolve, 50))
  t.match(await owned.write({ accept: acceptTurn(owned.id) }), { status: 'committed' })
  const client = await connectTo(t, url)
  t.equal((await client.query('SELECT FROM nodes')).rowCount, 1)
  await storage.stop()
  t.equal((await client.query('SELECT FROM nodes')).rowCount, 0)
})

t.test('each database is told from every other by its timeline, which a restart does not change', async (t) => {
  const urls = [await newDatabase(postgres), await newDatabase(postgres)]
  const timelines = async (node: string): Promise<(string | null)[]> => {
    const { liveness } = await startStorage(t, urls, { logger, node })
    // Of the first bucket and the last.
    return [liveness.timelineOf(0), liveness.timelineOf(1023)]
  }
  const before = await timelines('node-1')
  for (const timeline of before) t.match(timeline, /^\d+\.\d+\.00000001$/)
  t.not(before[0], before[1])
  await postgres.restart()
  t.same(await timelines('node-2'), before)
})

t.test('a sign of life that is renewed tells the timeline again', async (t) => {
  const url = await newDatabase(postgres)
  const client = await connectTo(t, url)
  const { liveness } = await startStorage(t, [url], { logger })
  const seenAt = async (): Promise<string> => (await client.query<{ seen: string }>('SELECT seen_at::text AS seen FROM nodes')).rows[0]?.seen ?? ''
  const [first, timeline] = [await seenAt(), liveness.timelineOf(0)]
  t.match(timeline, /^\d+\.\d+\.00000001$/)
  while ((await seenAt()) === first) await new Promise((resolve) => setTimeout(resolve, 50))
  t.equal(liveness.timelineOf(0), timeline)
})

t.test('what is owned is told of the shards that can be reached, while another cannot', async (t) => {
  const [near, far] = [await newDatabase(postgres), await newDatabase(postgres)]
  const proxy = await CuttingProxy.start(Number(new URL(far).port))
  const throughProxy = new URL(far)
  throughProxy.host = `127.0.0.1:${proxy.port}`
  const { store } = await startStorage(t, [near, throughProxy.href], { logger })
  const other = await startStorage(t, [near, far], { logger, node: 'b' })
  // The first shard has the lower half of the buckets.
  const userOf = (isNear: boolean): string => {
    for (let user = unique('user'); ; user = unique('user')) if (bucketOfUser(user) < bucketCount / 2 === isNear) return user
  }
  const [mine, lost, away] = await Promise.all([ownConversation(store, userOf(true)), ownConversation(store, userOf(true)), ownConversation(store, userOf(false))])
  await other.store.claim(lost.id, { force: true })
  await proxy.stop()
  const { owned, unknown } = await store.stillOwned(new Map([mine, lost, away].map(({ id, token }) => [id, token])))
  t.same([...owned], [mine.id])
  t.same([...unknown], [away.id])
})
