import { randomUUID } from 'node:crypto'
import { mock } from 'node:test'
import pg from 'pg'
import t from 'tap'
import { bucketCount, bucketOfUser, firstSequenceOfMonth, monthOf, sequenceOfId } from '../../protocol/ids.ts'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { acceptTurn, createConversation, Owned, ownConversation, wide, type Committed } from '../testing/writes.ts'
import { keepMessagePartitions, partitionName } from './message-partitions.ts'
import { migrate, migrationHash } from './migrate.ts'
import { migrations } from './migrations/all.ts'
import { Shard } from './shard.ts'
import { evenShards, mapBuckets, type ShardConfig } from './shard-map.ts'
import type { Statement } from './statement.ts'
import { messagePath, messagesAfter, messagesBefore } from './statements/message-pages.ts'
import { createPostgresStorage } from './storage.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

function shardOn(t: TestContext, url: string): Shard {
  const [config] = evenShards([url])
  const shard = new Shard({ config: config as ShardConfig, applicationName: 'test', logger })
  t.teardown(() => shard.close())
  return shard
}

/** A clock that stands at the middle of a month. */
const clockIn = (month: number) => ({ now: () => Date.UTC(2025, month, 15), monotonic: systemClock.monotonic })
const thisMonth = monthOf(Date.now())
const monthOfMessage = (id: number): number => Math.floor(sequenceOfId(id) / firstSequenceOfMonth(1))

t.test('a released migration never changes', async (t) => {
  t.same(migrations.map((migration) => [migration.version, migrationHash(migration)]), [
    [1, 'ba039e3f22cad21d2e5fa7a0cdf2afdc433b8010c220a5f0ccea5d13d764b797'],
    [2, '621870927f0f22726b3a74c7edc523d8eb2e4b1e56e555264bc9e7c071dc5f71'],
    [3, '191fca34d6ecfd14526686b9c2fd005cf5ce0d2db6f12c68b787c4fbbcce08c4'],
    [4, 'ab442d64cbfb863af40a74375eda0da8561fadf4a132c4b5c32b363859076094'],
  ])
})

t.test('processes that start at once on an empty database run each migration once', async (t) => {
  const url = await newDatabase(postgres)
  await Promise.all(['a', 'b', 'c', 'd'].map((node) => startStorage(t, [url], { logger, node })))
  const client = await connectTo(t, url)
  t.same((await client.query('SELECT version, hash FROM schema_migrations ORDER BY version')).rows, migrations.map((migration) => ({ version: migration.version, hash: migrationHash(migration) })))
  t.same((await client.query('SELECT count(*)::integer AS owned FROM owned_buckets')).rows, [{ owned: bucketCount }])
})

t.test('a migration that was run with other contents is refused, one from a later release is left alone', async (t) => {
  const url = await newDatabase(postgres)
  const shard = shardOn(t, url)
  const [first] = migrations
  if (first === undefined) throw new Error('no migrations')
  const second = { version: 2, name: 'second', statements: ['CREATE TABLE later (n integer)'] }
  await migrate(shard, [first, second])
  await migrate(shard, [first])
  await t.rejects(migrate(shard, [{ ...first, name: 'changed' }]), { code: 'changed_migration', message: /migration 1 \(changed\)/ })
  await t.rejects(migrate(shard, [first, second, { version: 3, name: 'broken', statements: ['CREATE TABLE half (n integer)', 'NONSENSE'] }]), { code: '42601' })
  const client = await connectTo(t, url)
  t.same((await client.query(`SELECT to_regclass('later')::text AS later, to_regclass('half') AS half`)).rows, [{ later: 'later', half: null }])
})

t.test('a map that does not give every bucket to one shard is refused', async (t) => {
  const map = (...buckets: ShardConfig['buckets'][]) =>
    mapBuckets(buckets.map((ranges, n) => ({ config: { name: `s${n}`, primaryUrl: 'postgres://nowhere', replicaUrls: [], buckets: ranges, embedded: false } })))
  t.throws(() => map([[0, 1022]]), { code: 'invalid_shard_map', message: /1023/ })
  t.throws(() => map([[0, 600]], [[600, 1023]]), { code: 'invalid_shard_map', message: /600/ })
  t.throws(() => map([[0, 1024]]), { code: 'invalid_shard_map' })
  t.throws(() => mapBuckets([...evenShards(['a']), ...evenShards(['a'])].map((config) => ({ config }))), { code: 'invalid_shard_map' })
  const three = mapBuckets(evenShards(['a', 'b', 'c']).map((config) => ({ config })))
  t.same([0, 340, 341, 681, 682, 1023].map((bucket) => three[bucket]?.config.primaryUrl), ['a', 'a', 'b', 'b', 'c', 'c'])
})

t.test('databases in another order than the one they were set up in are refused', async (t) => {
  const urls = [await newDatabase(postgres), await newDatabase(postgres)]
  await startStorage(t, urls, { logger })
  await t.rejects(startStorage(t, [...urls].reverse(), { logger }), { code: 'wrong_shard', message: /512 buckets/ })
  await t.rejects(startStorage(t, urls.slice(0, 1), { logger }), { code: 'wrong_shard' })
})

t.test('a shard that cannot be reached does not keep the others from starting', async (t) => {
  const urls = [await newDatabase(postgres), 'postgres://postgres@127.0.0.1:1/nowhere']
  const { store } = await startStorage(t, urls, { logger })
  let reached = 0
  for (let n = 0; n < 20; n += 1) {
    reached += await createConversation(store).then(() => 1, (error: { code?: string }) => (error.code === 'unavailable' ? 0 : Promise.reject(error as Error)))
  }
  t.ok(reached > 0 && reached < 20)
  await t.rejects(startStorage(t, ['postgres://postgres@127.0.0.1:1/nowhere'], { logger }), { code: 'unavailable' })
})

t.test('a shard that comes later is set up when it does', async (t) => {
  const other = await startPostgres(t)
  const urls = [await newDatabase(postgres), await newDatabase(other)]
  await other.stop()
  mock.timers.enable({ apis: ['setInterval'] })
  t.teardown(() => mock.timers.reset())
  const { store } = await startStorage(t, urls, { logger })
  const onLater = Array.from({ length: 100 }, (_, n) => `user ${n}`).find((userId) => bucketOfUser(userId) >= 512) as string
  await t.rejects(createConversation(store, onLater), { code: 'unavailable' })
  await other.restart()
  mock.timers.tick(60_000)
  for (let row; row === undefined; row = await createConversation(store, onLater).catch(() => undefined)) await new Promise((resolve) => setTimeout(resolve, 20))
  t.ok(await ownConversation(store, onLater).then((owned) => owned.exchange('hello', 'there')))
})

t.test('a month begins: its ids and partition follow, and never go back', async (t) => {
  const url = await newDatabase(postgres)
  const first = await startStorage(t, [url], { logger, clock: clockIn(thisMonth), node: 'a' })
  const owned = await ownConversation(first.store)
  const idOf = async (month: Owned): Promise<number> => ((await month.write({ accept: acceptTurn(month.id) })) as Committed).accepted?.userMessageId as number
  const before = await idOf(owned)
  t.equal(monthOfMessage(before), thisMonth)
  const client = await connectTo(t, url)
  const partitionOf = async (id: number): Promise<string> => (await client.query('SELECT tableoid::regclass::text AS partition FROM messages WHERE id = $1', [id])).rows[0].partition as string
  t.equal(await partitionOf(before), partitionName(thisMonth))

  // Another process is in the next month already, while the first one writes.
  const shard = shardOn(t, url)
  const [ids] = await Promise.all([
    (async () => {
      const drawn: number[] = []
      for (let n = 0; n < 40; n += 1) drawn.push(await idOf(owned))
      return drawn
    })(),
    ...Array.from({ length: 4 }, () => keepMessagePartitions(shard, thisMonth + 1)),
  ])
  t.same(ids, [...ids].sort((a, b) => a - b))
  const after = await idOf(owned)
  t.equal(monthOfMessage(after), thisMonth + 1)
  t.ok(sequenceOfId(after) - firstSequenceOfMonth(thisMonth + 1) < 1000, 'the month was begun once')
  t.equal(await partitionOf(after), partitionName(thisMonth + 1))

  // A process whose clock is behind, and one whose clock is far ahead.
  await startStorage(t, [url], { logger, clock: clockIn(thisMonth), node: 'b' })
  t.equal(monthOfMessage(await idOf(owned)), thisMonth + 1)
  await startStorage(t, [url], { logger, clock: clockIn(thisMonth + 500), node: 'c' })
  t.equal(monthOfMessage(await idOf(owned)), thisMonth + 1)
  const { rows } = await client.query(`SELECT count(*)::integer AS partitions FROM pg_inherits WHERE inhparent = 'messages'::regclass`)
  t.same(rows, [{ partitions: 4 }])
  t.equal(partitionName(0), 'messages_2025_01')
  t.equal(partitionName(23), 'messages_2026_12')
})

t.test('a partition that is missing at a write is made, and the write waits for it', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const owned = await ownConversation(store)
  const client = await connectTo(t, url)
  await client.query(`DROP TABLE ${partitionName(thisMonth)}`)
  t.match(await owned.write({ accept: acceptTurn(owned.id, { content: 'found a place' }) }), { status: 'committed' })
  t.match((await store.messagesBefore(owned.id, wide)).messages, [{ content: 'found a place' }])
})

t.test('what a page costs does not grow with the messages or the months', async (t) => {
  const url = await newDatabase(postgres)
  const months = 8
  const shard = shardOn(t, url)
  await migrate(shard, migrations)
  for (let month = thisMonth - months; month <= thisMonth; month += 1) await keepMessagePartitions(shard, month)
  const storage = await startStorage(t, [url], { logger })
  const client = await connectTo(t, url)
  const old = await createConversation(storage.store)
  // One conversation of many messages in every month, among those of others.
  await client.query('UPDATE conversations SET message_floor = 0 WHERE id = $1', [old.conversationId])
  for (let month = thisMonth - months; month <= thisMonth; month += 1) {
    const start = firstSequenceOfMonth(month) + 1_000_000
    await client.query(
      `INSERT INTO messages (conversation_id, id, parent_id, created_at, role, content)
       SELECT $1::bigint, ($2::bigint + n) * 1024 + $1::bigint % 1024, CASE WHEN n > 1 THEN ($2::bigint + n - 1) * 1024 + $1::bigint % 1024 END, now(), 'user', repeat('x', 100)
       FROM generate_series(1, 1500) AS n`,
      [old.conversationId, start],
    )
    await client.query(
      `INSERT INTO messages (conversation_id, id, created_at, role, content)
       SELECT (10 + n % 200) * 1024, ($1::bigint + 10000 + n) * 1024, now(), 'user', repeat('x', 100) FROM generate_series(1, 4000) AS n`,
      [start],
    )
  }
  await client.query('UPDATE conversations SET last_message_id = (SELECT max(id) FROM messages WHERE conversation_id = $1) WHERE id = $1', [old.conversationId])
  const young = await ownConversation(storage.store)
  const youngTurn = await young.exchange('hello', 'there')
  await client.query('ANALYZE')
  const last = (await storage.store.conversation(old.conversationId))?.lastMessageId as number
  const middle = (firstSequenceOfMonth(thisMonth - 3) + 1_000_700) * bucketCount + (old.conversationId % bucketCount)

  for (const mode of ['force_custom_plan', 'force_generic_plan']) {
    const reads = (statement: Statement, values: readonly number[]): Promise<Scan[]> => shard.withClient((connection) => scansOf(connection, mode, statement, values))
    for (const [statement, id] of [[messagesBefore, last + 1], [messagesBefore, middle], [messagesAfter, 0], [messagesAfter, middle], [messagePath, last], [messagePath, middle]] as const) {
      const scans = await reads(statement, [old.conversationId, id, 50, 1_000_000])
      const name = `${statement.name} ${id} ${mode}`
      t.ok(scans.every(({ index }) => index !== null && index.endsWith('_pkey')), `${name}: ${JSON.stringify(scans)}`)
      t.ok(scans.reduce((sum, { rows }) => sum + rows, 0) <= 51, `${name}: ${JSON.stringify(scans)}`)
      t.ok(new Set(scans.map(({ partition }) => partition)).size <= 2, `${name}: ${JSON.stringify(scans)}`)
    }
    // A young conversation has fewer messages than a page: the months before it are not looked at.
    for (const [statement, id] of [[messagesBefore, Number.MAX_SAFE_INTEGER], [messagesAfter, 0], [messagePath, youngTurn.replyMessageId]] as const) {
      const scans = await reads(statement, [young.id, id, 50, 1_000_000])
      t.ok(scans.every(({ partition }) => partition >= partitionName(thisMonth)), `${statement.name} ${mode}: ${JSON.stringify(scans)}`)
    }
  }
})

interface Scan {
  readonly partition: string
  readonly index: string | null
  readonly rows: number
}

/** The scans of message partitions that were carried out. */
async function scansOf(client: pg.ClientBase, mode: string, statement: Statement, values: readonly number[]): Promise<Scan[]> {
  const name = `q_${randomUUID().replaceAll('-', '')}`
  await client.query(`SET plan_cache_mode = ${mode}`)
  await client.query(`PREPARE ${name} AS ${statement.text}`)
  const { rows } = await client.query(`EXPLAIN (ANALYZE, FORMAT JSON) EXECUTE ${name}(${values.join(', ')})`)
  const scans: Scan[] = []
  const visit = (node: PlanNode): void => {
    const partition = node['Relation Name']
    if (partition?.startsWith('messages_') && node['Actual Loops'] > 0) {
      scans.push({ partition, index: node['Index Name'] ?? null, rows: (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0)) * node['Actual Loops'] })
    }
    for (const child of node.Plans ?? []) visit(child)
  }
  visit((rows[0]['QUERY PLAN'] as [{ Plan: PlanNode }])[0].Plan)
  return scans
}

interface PlanNode {
  readonly 'Relation Name'?: string
  readonly 'Index Name'?: string
  readonly 'Actual Rows': number
  readonly 'Actual Loops': number
  readonly 'Rows Removed by Filter'?: number
  readonly Plans?: readonly PlanNode[]
}

t.test('older pages come from a replica that holds all of them, and only from such a one', async (t) => {
  const url = await newDatabase(postgres)
  const primary = await startStorage(t, [url], { logger })
  const owned = await ownConversation(primary.store)
  const turns = [await owned.exchange('one', 'first'), await owned.exchange('two', 'second')]
  const unfinished = acceptTurn(owned.id, { content: 'three' })
  await owned.write({ accept: unfinished })
  // A replica that stands still here: a copy of the database, with a mark that shows where a page came from.
  await primary.stop()
  const copy = `copy${randomUUID().replaceAll('-', '')}`
  const admin = await connectTo(t, postgres.url())
  await admin.query(`CREATE DATABASE ${copy} TEMPLATE ${pg.escapeIdentifier(new URL(url).pathname.slice(1))}`)
  const replica = await connectTo(t, postgres.url(copy))
  await replica.query(`UPDATE messages SET content = content || ' from the replica'`)

  const [config] = evenShards([url])
  const storage = createPostgresStorage({ shards: [{ ...(config as ShardConfig), replicaUrls: [postgres.url(copy)] }], node: 'b', bootId: randomUUID(), logger, clock: systemClock })
  t.teardown(() => storage.stop())
  await storage.start()
  const next = new Owned(storage.store, owned.row, owned.token)
  const claim = await storage.store.claim(owned.id)
  if (claim.status !== 'claimed') throw new Error(claim.status)
  next.token = claim.token
  const later = acceptTurn(owned.id, { content: 'four' })
  await next.write({ accept: later })
  const contents = async (before?: number): Promise<string[]> =>
    (await storage.store.messagesBefore(owned.id, { ...wide, ...(before === undefined ? {} : { before }) })).messages.map(({ content }) => content)
  const [first, second] = turns
  const third = claim.unfinished[0]
  const newest = (await storage.store.turn(later.turnId))?.replyMessageId as number
  t.same(await contents(second?.userMessageId), ['one from the replica', 'first from the replica'])
  t.same(await contents(third?.replyMessageId), ['one', 'first', 'two', 'second', 'three'].map((content) => `${content} from the replica`), 'below the unfinished reply')
  t.same(await contents((third?.replyMessageId as number) + 1), ['one', 'first', 'two', 'second', 'three'], 'the reply may have been written since')
  t.same(await contents(newest), ['one', 'first', 'two', 'second', 'three', 'four'], 'beyond what the replica has seen')
  t.same(await contents(), ['one', 'first', 'two', 'second', 'three', 'four'], 'the newest page')
  t.equal(await contents(first?.userMessageId).then((page) => page.length), 0)
  await replica.query('DROP TABLE messages')
  t.same(await contents(second?.userMessageId), ['one', 'first'], 'a replica that fails')
})
