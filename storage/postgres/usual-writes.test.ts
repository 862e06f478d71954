import fc from 'fast-check'
import t from 'tap'
import type pg from 'pg'
import { bucketOfId, newTurnId } from '../../protocol/ids.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import type { AcceptTurn, ConversationStore, ConversationWrite, WriteResult } from '../conversation-store.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { StoreModel, stepArbitrary, writeFor } from '../testing/store-model.ts'
import { acceptTurn, beginTurn, claimed, endTurn, Owned, ownConversation, unique, wide } from '../testing/writes.ts'
import { GroupCommit, WriteBudget } from './group-commit.ts'
import { commitGroup } from './group-transaction.ts'
import { Shard } from './shard.ts'
import { evenShards } from './shard-map.ts'
import { writeUsual } from './usual-writes.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())
t.setTimeout(300_000)

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

interface World {
  readonly store: ConversationStore
  readonly shard: Shard
  readonly client: pg.Client
  /** Resolves once a statement waits for a lock that another transaction holds. */
  readonly untilLocked: () => Promise<void>
}

async function startWorld(t: TestContext): Promise<World> {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger, node: 'node-1', bootId: 'boot-1' })
  const [config] = evenShards([url])
  if (config === undefined) throw new Error('no shard')
  const shard = new Shard({ config, applicationName: 'test', logger })
  t.teardown(() => shard.close())
  // A transaction sees activity as it was when it first looked.
  const watcher = await connectTo(t, url)
  const untilLocked = async (): Promise<void> => {
    while ((await watcher.query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)).rowCount === 0);
  }
  return { store, shard, client: await connectTo(t, url), untilLocked }
}

const of = (owned: Owned, write: Omit<ConversationWrite, 'conversationId' | 'token'>): ConversationWrite => ({ conversationId: owned.id, token: owned.token, ...write })

t.test('any groups of writes leave by one statement what they leave by a transaction, and have the same outcomes', async (t) => {
  const worlds = [await startWorld(t), await startWorld(t)] as const
  const commit = new GroupCommit({ shard: worlds[0].shard, budget: new WriteBudget(1 << 30), logger, makePartitions: () => Promise.resolve() })
  t.teardown(() => commit.stop())
  const write = [
    (writes: readonly ConversationWrite[]): Promise<readonly WriteResult[]> => Promise.all(writes.map((each) => commit.write(each))),
    (writes: readonly ConversationWrite[]): Promise<readonly WriteResult[]> => commitGroup(worlds[1].shard, writes),
  ] as const
  const property = fc.asyncProperty(fc.array(fc.tuple(stepArbitrary, stepArbitrary, stepArbitrary), { minLength: 1, maxLength: 20 }), async (groups) => {
    const users = [unique('user'), unique('user'), unique('user')]
    const ours = await Promise.all(users.map(async (user) => new StoreModel(await ownConversation(worlds[0].store, user))))
    const theirs = await Promise.all(users.map((user) => ownConversation(worlds[1].store, user)))
    /** Message ids, ours to theirs: each way draws its own. */
    const ids = ours.map(() => new Map<number, number>())
    for (const steps of groups) {
      const writes = steps.map((step, n) => writeFor(ours[n] as StoreModel, step))
      const results = await write[0](writes.map((each, n) => of((ours[n] as StoreModel).owned, each)))
      const others = await write[1](writes.map((each, n) => of(theirs[n] as Owned, translated(each, ids[n] as Map<number, number>))))
      for (const [n, result] of results.entries()) {
        const other = others[n]
        t.equal(result.status, other?.status)
        ours[n]?.apply(writes[n] ?? {})
        ours[n]?.learn(writes[n] ?? {}, result)
        if (result.status !== 'committed' || other?.status !== 'committed' || result.accepted === undefined || other.accepted === undefined) continue
        ids[n]?.set(result.accepted.userMessageId, other.accepted.userMessageId).set(result.accepted.replyMessageId, other.accepted.replyMessageId)
      }
    }
    for (const [n, model] of ours.entries()) {
      t.same(await rowsOf(worlds[0].client, model.owned.id, ids[n]), await rowsOf(worlds[1].client, (theirs[n] as Owned).id))
    }
  })
  await fc.assert(property, { numRuns: 25 })
})

type Parts = Omit<ConversationWrite, 'conversationId' | 'token'>

/** The same for the conversation's twin. Their turns have the same ids, as they are of the same bucket. */
function translated(write: Parts, ids: ReadonlyMap<number, number>): Parts {
  const { accept } = write
  if (accept === undefined) return write
  const twinOf = (id: number | null): number | null => (id === null ? null : (ids.get(id) ?? id))
  const user: AcceptTurn['user'] =
    accept.user.type === 'new' ? { ...accept.user, parentId: twinOf(accept.user.parentId) } : { type: 'existing', messageId: twinOf(accept.user.messageId) as number, parentId: twinOf(accept.user.parentId) }
  return { ...write, accept: { ...accept, user } }
}

/** All that is stored of a conversation but its own id and when it was made, with message ids as `ids` has them. */
async function rowsOf(client: pg.Client, conversationId: number, ids?: ReadonlyMap<number, number>): Promise<unknown> {
  const read = async (text: string): Promise<readonly Record<string, unknown>[]> => (await client.query<Record<string, unknown>>(text, [conversationId])).rows
  const rows = {
    conversations: await read('SELECT title, last_message_id, owner_epoch, updated_at > created_at AS used FROM conversations WHERE id = $1'),
    turns: await read('SELECT * FROM turns WHERE conversation_id = $1 ORDER BY reply_message_id'),
    messages: await read('SELECT * FROM messages WHERE conversation_id = $1 ORDER BY id'),
  }
  const messageIds = new Set(['id', 'parent_id', 'last_message_id', 'user_message_id', 'reply_message_id'])
  return JSON.parse(
    JSON.stringify(rows, (key: string, value: unknown) => {
      if (key === 'conversation_id') return undefined
      return messageIds.has(key) && typeof value === 'string' && /^\d+$/.test(value) ? Number(ids?.get(Number(value)) ?? value) : value
    }),
  ) as unknown
}

t.test('what a turn usually takes is made by one statement, and what must be told apart is left', async (t) => {
  const { store, shard } = await startWorld(t)
  const owners = await Promise.all([1, 2, 3, 4].map(() => ownConversation(store)))
  const [one, two, three, stale] = owners as [Owned, Owned, Owned, Owned]
  await store.claim(stale.id)
  const accepts = owners.map((owned) => acceptTurn(owned.id))
  const [first, second, third] = accepts as [AcceptTurn, AcceptTurn, AcceptTurn]
  const made = await writeUsual(shard, owners.map((owned, n) => of(owned, { accept: accepts[n] as AcceptTurn, title: `title ${n}` })))
  t.match(made, [{ status: 'committed', accepted: {} }, { status: 'committed', accepted: {} }, { status: 'committed', accepted: {} }, null])
  t.equal((await store.conversation(two.id))?.title, 'title 1')
  const committed = { status: 'committed' }
  t.same(await writeUsual(shard, [of(one, { begin: beginTurn(first.turnId) }), of(two, { begin: beginTurn(second.turnId, 2) }), of(three, { begin: beginTurn(third.turnId, 3) })]), [committed, committed, null])
  const other = acceptTurn(three.id)
  t.match(await writeUsual(shard, [of(one, { ends: [endTurn(first.turnId, 1)] }), of(two, { ends: [endTurn(second.turnId, 1)] }), of(three, { accept: other })]), [committed, null, committed])
  const granted = { bridge: 'bridge-1', barrenGrants: 0, startedAt: 1_000 }
  t.same(await writeUsual(shard, [of(one, { ends: [endTurn(first.turnId, 2, 'no', { granted })] }), of(three, { ends: [endTurn(third.turnId, 2, 'short', { granted })] })]), [null, committed])
  t.match(await store.turn(third.turnId), { run: 2, bridge: 'bridge-1', startedAt: 1_000, state: 'finished' }, 'granted and ended at once')
  const ended = await store.messagesBefore(one.id, wide)
  t.match(ended.messages, [{ role: 'user' }, { role: 'assistant', content: 'a reply', parent_id: ended.messages[0]?.message_id }])
  const again = acceptTurn(three.id, { clientMessageId: other.clientMessageId })
  t.same(await writeUsual(shard, [of(one, { ends: [endTurn(first.turnId, 1)] }), of(two, { ends: [endTurn(first.turnId, 1)] }), of(three, { accept: again })]), [null, null, null])
  t.same(await writeUsual(shard, [of(one, { begin: beginTurn(newTurnId(bucketOfId(one.id))) }), of(three, { accept: { ...acceptTurn(three.id), turnId: other.turnId } })]), [null, null])
  t.equal((await store.messagesBefore(three.id, wide)).messages.length, 3)
  t.equal((await store.turn(other.turnId))?.state, 'queued')
  await t.rejects(writeUsual(shard, [of(one, { accept: acceptTurn(one.id, { content: 'x'.repeat(32 * 1024 + 1) }) }), of(two, { ends: [endTurn(second.turnId, 2)] })]), { code: '23514' })
  t.equal((await store.turn(second.turnId))?.state, 'running', 'all or none')
})

t.test('another owner takes a conversation while a write waits for its lock: nothing of it is made', async (t) => {
  const { store, shard, client, untilLocked } = await startWorld(t)
  const property = fc.asyncProperty(fc.constantFrom('accept', 'begin', 'end'), async (what) => {
    const [owned, neighbour] = await Promise.all([ownConversation(store), ownConversation(store)])
    const turn = acceptTurn(owned.id)
    await owned.write({ accept: turn })
    const write = { accept: { accept: acceptTurn(owned.id), title: 'late' }, begin: { begin: beginTurn(turn.turnId) }, end: { ends: [endTurn(turn.turnId, 0)] } }[what]
    await client.query('BEGIN')
    await client.query(`UPDATE conversations SET owner_epoch = owner_epoch + 1, owner_node = 'node-2', owner_boot = 'boot-2' WHERE id = $1`, [owned.id])
    const writing = writeUsual(shard, [of(owned, write), of(neighbour, { accept: acceptTurn(neighbour.id) })])
    await untilLocked()
    await client.query('COMMIT')
    t.match(await writing, [null, { status: 'committed' }])
    t.match(await store.turn(turn.turnId), { state: 'queued', run: 0 })
    t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 1)
    t.equal((await store.conversation(owned.id))?.title, null)
    t.same(await owned.write(write), { status: 'stale' })
  })
  await fc.assert(property, { numRuns: 10 })
})

t.test('a write that waited for its lock is made upon what was committed meanwhile', async (t) => {
  const { store, shard, client, untilLocked } = await startWorld(t)
  const owned = await ownConversation(store)
  const behind = async (write: Parts, meanwhile: string, values: unknown[]): Promise<WriteResult | null | undefined> => {
    await client.query('BEGIN')
    await client.query('SELECT FROM conversations WHERE id = $1 FOR NO KEY UPDATE', [owned.id])
    await client.query(meanwhile, values)
    const writing = writeUsual(shard, [of(owned, write)])
    await untilLocked()
    await client.query('COMMIT')
    return (await writing)[0]
  }
  const turn = acceptTurn(owned.id)
  const sent = await behind({ accept: turn, title: 'late' }, `UPDATE conversations SET title = 'kept', last_message_id = nextval('message_sequence') * 1024 + id % 1024 WHERE id = $1`, [owned.id])
  if (sent?.status !== 'committed') throw new Error(JSON.stringify(sent))
  t.match(await store.conversation(owned.id), { title: 'kept', lastMessageId: sent.accepted?.replyMessageId })

  t.same(await behind({ begin: beginTurn(turn.turnId) }, `UPDATE turns SET run = 1, bridge = 'bridge-2', state = 'running' WHERE id = $1`, [turn.turnId]), null, 'another grant')
  t.same(await behind({ begin: beginTurn(turn.turnId, 2) }, 'UPDATE turns SET barren_grants = 3 WHERE id = $1', [turn.turnId]), { status: 'committed' })
  t.match(await store.turn(turn.turnId), { run: 2, bridge: 'bridge-1' })
  t.same(await behind({ ends: [endTurn(turn.turnId, 1)] }, 'UPDATE turns SET run = 1 WHERE id = $1', [turn.turnId]), null, 'not what it was when the statement began')
  t.same(await behind({ ends: [endTurn(turn.turnId, 1)] }, `UPDATE turns SET bridge = 'bridge-3' WHERE id = $1`, [turn.turnId]), { status: 'committed' })
  t.match((await store.messagesBefore(owned.id, wide)).messages, [{ role: 'user' }, { role: 'assistant', content: 'a reply' }])

  const next = acceptTurn(owned.id)
  const first = await behind({ accept: next }, `INSERT INTO turns SELECT (t).* FROM (SELECT jsonb_populate_record(t, jsonb_build_object('id', $2::text, 'client_message_id', $3::text)) AS t FROM turns t WHERE id = $1) AS copy`, [turn.turnId, newTurnId(bucketOfId(owned.id)), next.clientMessageId])
  t.same(first, null, 'the client message id was taken meanwhile')
  t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 2)
  t.ok((await store.conversation(owned.id))?.lastMessageId === sent.accepted?.replyMessageId)
})

t.test('a claim finds all of a write that was made before it, and none of one that comes after', async (t) => {
  const { store, shard } = await startWorld(t)
  for (let n = 0; n < 50; n += 1) {
    const owned = await ownConversation(store)
    const accept = acceptTurn(owned.id)
    const [[result], claim] = await Promise.all([writeUsual(shard, [of(owned, { accept })]), store.claim(owned.id)])
    t.same(claimed(claim).unfinished.map(({ turnId }) => turnId), result === null ? [] : [accept.turnId])
    t.equal((await store.messagesBefore(owned.id, wide)).messages.length, result === null ? 0 : 1)
  }
})
