import fc from 'fast-check'
import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { WriteResult } from '../conversation-store.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { CuttingProxy } from '../testing/cutting-proxy.ts'
import { acceptTurn, beginTurn, endTurn, Owned, ownConversation, wide } from '../testing/writes.ts'
import { WriteHold } from '../write-hold.ts'
import { GroupCommit, WriteBudget } from './group-commit.ts'
import { Shard } from './shard.ts'
import { evenShards } from './shard-map.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())
t.setTimeout(300_000)

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

/** What must hold of a conversation whose every write was answered: each accepted turn once, each ended turn's reply once. */
async function checkExactlyOnce(t: Tap, owned: Owned, turns: readonly { readonly turnId: string; readonly content: string; readonly accepted: Committed }[]): Promise<void> {
  const { messages } = await owned.store.messagesBefore(owned.id, { limit: 100_000, maxBytes: 1 << 26 })
  t.same(
    messages.map(({ message_id, content, turn_id, role }) => ({ message_id, content, turn_id, role })),
    turns.flatMap(({ turnId, content, accepted }) => [
      { message_id: accepted.accepted?.userMessageId, content, turn_id: turnId, role: 'user' },
      { message_id: accepted.accepted?.replyMessageId, content: `reply to ${content}`, turn_id: turnId, role: 'assistant' },
    ]),
  )
}

type Committed = Extract<WriteResult, { status: 'committed' }>
type Tap = Pick<typeof t, 'same' | 'equal' | 'ok'>

/** Turns one after another, as an actor makes them; every write must be committed. */
async function converse(owned: Owned, goesOn: (turns: number) => boolean, name: string, onTurn: () => void = () => {}): Promise<{ turnId: string; content: string; accepted: Committed }[]> {
  const turns: { turnId: string; content: string; accepted: Committed }[] = []
  const committed = async (write: Parameters<Owned['write']>[0]): Promise<Committed> => {
    const result = await owned.write(write)
    if (result.status !== 'committed') throw new Error(`${name}: ${JSON.stringify(result)}`)
    return result
  }
  for (let n = 0; goesOn(n); n += 1) {
    const content = `${name} ${n}`
    const accept = acceptTurn(owned.id, { content })
    const accepted = await committed({ accept })
    await committed({ begin: beginTurn(accept.turnId) })
    await committed({ ends: [endTurn(accept.turnId, 1, `reply to ${content}`)] })
    turns.push({ turnId: accept.turnId, content, accepted })
    onTurn()
  }
  return turns
}

t.test('a connection cut around COMMIT: the write is settled before its promise is, and made exactly once', async (t) => {
  const proxy = await CuttingProxy.start(postgres.port)
  t.teardown(() => proxy.stop())
  const url = new URL(await newDatabase(postgres))
  url.port = String(proxy.port)
  const { store } = await startStorage(t, [url.href], { logger })
  const owned = await ownConversation(store)
  const neighbours = await Promise.all([1, 2, 3].map(() => ownConversation(store)))
  const property = fc.asyncProperty(fc.constantFrom('before' as const, 'after' as const), fc.constantFrom('accept', 'begin', 'end', 'short', 'answer'), async (cut, what) => {
    const turn = acceptTurn(owned.id, { content: 'x' })
    const first = what === 'accept' ? null : await owned.write({ accept: turn })
    const write = {
      accept: { accept: turn },
      begin: { begin: beginTurn(turn.turnId) },
      end: { ends: [endTurn(turn.turnId, 0, 'reply')] },
      short: { ends: [endTurn(turn.turnId, 1, 'reply', { granted: { bridge: 'bridge-1', barrenGrants: 0, startedAt: Date.now() } })] },
      answer: { ends: [endTurn(turn.turnId, 0, 'reply')], accept: acceptTurn(owned.id, { content: 'y' }) },
    }[what]
    const before = proxy.cuts
    proxy.next = cut
    const [result, ...others] = await Promise.all([owned.write(write ?? {}), ...neighbours.map((each) => each.write({ accept: acceptTurn(each.id) }))])
    t.equal(proxy.cuts, before + 1)
    t.same([result, ...others].map((each) => each?.status), Array.from({ length: 4 }, () => 'committed'))
    const stored = await store.turn(turn.turnId)
    t.match(stored, { state: { accept: 'queued', begin: 'running', end: 'finished', short: 'finished', answer: 'finished' }[what] })
    if (first?.status === 'committed') t.equal(stored?.userMessageId, first.accepted?.userMessageId)
    if (what === 'accept') t.equal(stored?.userMessageId, (result as Committed).accepted?.userMessageId)
    const messages = (await store.messagesBefore(owned.id, { limit: 10_000, maxBytes: 1 << 24 })).messages.filter(({ turn_id }) => turn_id === turn.turnId)
    t.equal(messages.length, what === 'accept' || what === 'begin' ? 1 : 2)
  })
  await fc.assert(property, { numRuns: 20 })
})

t.test('a deletion cut around COMMIT is found made, and so is a new title', async (t) => {
  const proxy = await CuttingProxy.start(postgres.port)
  t.teardown(() => proxy.stop())
  const url = new URL(await newDatabase(postgres))
  url.port = String(proxy.port)
  const { store } = await startStorage(t, [url.href], { logger })
  for (const cut of ['before', 'after'] as const) {
    const owned = await ownConversation(store)
    await owned.exchange('hello', 'there')
    for (const write of [{ rename: 'title' }, { remove: true }] as const) {
      proxy.next = cut
      t.same(await owned.write(write), { status: 'committed' })
      t.equal(proxy.next, null)
      t.equal((await store.conversation(owned.id))?.title, 'remove' in write ? undefined : 'title')
    }
  }
})

t.test('backends terminated at random: every write is answered, and made exactly once', async (t) => {
  const url = await newDatabase(postgres)
  const killer = await connectTo(t, postgres.url())
  const { store } = await startStorage(t, [url], { logger })
  const owners = await Promise.all(Array.from({ length: 8 }, () => ownConversation(store)))
  let terminated = 0
  const conversations = Promise.all(owners.map((owned, index) => converse(owned, () => terminated < 12, `conversation ${index}`)))
  while (terminated < 12) {
    const { rows } = await killer.query(
      `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1 AND state <> 'idle' ORDER BY random() LIMIT 1`,
      [new URL(url).pathname.slice(1)],
    )
    terminated += rows.length
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 20))
  }
  for (const [index, turns] of (await conversations).entries()) await checkExactlyOnce(t, owners[index] as Owned, turns)
})

t.test('Postgres killed and started again under writes: nothing acknowledged is lost, and what waited is written', async (t) => {
  const urls = [await newDatabase(postgres), await newDatabase(postgres)]
  const { store } = await startStorage(t, urls, { logger })
  const owners = await Promise.all(Array.from({ length: 8 }, () => ownConversation(store)))
  let turnsDone = 0
  let tell: () => void = () => {}
  const conversations = Promise.all(
    owners.map((owned, index) =>
      converse(owned, (turns) => turns < 20, `conversation ${index}`, () => {
        turnsDone += 1
        tell()
      }),
    ),
  )
  const until = (count: number): Promise<void> =>
    new Promise((resolve) => {
      tell = () => (turnsDone >= count ? resolve() : undefined)
      tell()
    })
  await until(40)
  await postgres.kill()
  await t.rejects(store.conversation(owners[0]?.id as number), { code: 'unavailable' })
  await t.rejects(store.claim(owners[0]?.id as number), { code: 'unavailable' })
  await t.rejects(store.createConversation({ userId: 'ann', clientConversationId: null, title: null, model: null, system: null }), { code: 'unavailable' })
  await t.rejects(store.sweep({ olderThan: 0, limit: 1 }), { code: 'unavailable' })
  await postgres.restart()
  await until(90)
  await postgres.kill()
  await postgres.restart()
  for (const [index, turns] of (await conversations).entries()) await checkExactlyOnce(t, owners[index] as Owned, turns)
})

t.test('a statement that Postgres cancels is run again', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const owned = await ownConversation(store)
  const locker = await connectTo(t, url)
  const watcher = await connectTo(t, url)
  await locker.query('BEGIN')
  await locker.query('SELECT FROM conversations WHERE id = $1 FOR UPDATE', [owned.id])
  const write = owned.write({ accept: acceptTurn(owned.id) })
  const cancelled = async (): Promise<boolean> =>
    ((await watcher.query(`SELECT pg_cancel_backend(pid) AS done FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%FOR NO KEY UPDATE%'`)).rowCount ?? 0) > 0
  for (let times = 0; times < 2; times += (await cancelled()) ? 1 : 0);
  await locker.query('ROLLBACK')
  t.match(await write, { status: 'committed' })
  t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 1)
})

t.test('a writer that gives up is told in time, and a claim afterwards tells what became of the write', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const [owned, queued] = await Promise.all([ownConversation(store), ownConversation(store)])
  const locker = await connectTo(t, url)
  await locker.query('BEGIN')
  await locker.query('SELECT FROM conversations WHERE id = $1 FOR UPDATE', [owned.id])
  const inFlight = acceptTurn(owned.id)
  const behind = acceptTurn(queued.id)
  const end = queued.write({ title: 'waits as long as it takes' })
  await t.rejects(owned.write({ accept: inFlight }, 100), { code: 'unavailable' })
  await t.rejects(queued.write({ accept: behind }, 50), { code: 'unavailable' })
  const claim = store.claim(owned.id)
  await locker.query('ROLLBACK')
  const result = await claim
  if (result.status !== 'claimed') throw new Error(result.status)
  // Both were behind the lock: whichever came first, the claim saw the end of it.
  t.equal((await store.turn(inFlight.turnId)) !== null, result.unfinished.length === 1)
  t.same(await end, { status: 'committed' })
  t.equal(await store.turn(behind.turnId), null)
})

t.test('writes that wait are bounded: what can be refused is, ends wait', async (t) => {
  const url = await newDatabase(postgres)
  const storage = await startStorage(t, [url], { logger })
  const owners = await Promise.all(Array.from({ length: 4 }, () => ownConversation(storage.store)))
  const accepts = owners.map((owned) => acceptTurn(owned.id, { content: 'x'.repeat(1000) }))
  for (const [index, owned] of owners.entries()) await owned.write({ accept: accepts[index] as (typeof accepts)[number] })
  const [config] = evenShards([url])
  if (config === undefined) throw new Error('no shard')
  const shard = new Shard({ config, applicationName: 'test', logger })
  const budget = new WriteBudget(4000)
  const commit = new GroupCommit({ shard, budget, logger, makePartitions: () => Promise.resolve() })
  const write = (n: number, what: object, giveUpAfterMs?: number): Promise<WriteResult> => {
    const owned = owners[n] as Owned
    return commit.write({ conversationId: owned.id, token: owned.token, ...what }, giveUpAfterMs === undefined ? {} : { giveUpAfterMs })
  }
  const ends = owners.slice(0, 3).map((_, n) => write(n, { ends: [endTurn(accepts[n]?.turnId as string, 0, 'x'.repeat(2000))] }))
  t.ok(budget.used > budget.limit)
  await t.rejects(write(3, { accept: acceptTurn(owners[3]?.id as number) }), { code: 'unavailable' })
  await t.rejects(write(3, { begin: beginTurn(accepts[3]?.turnId as string) }, 2000), { code: 'unavailable' })
  t.same((await Promise.all(ends)).map(({ status }) => status), ['committed', 'committed', 'committed'])
  t.equal(budget.used, 0)
  t.equal(commit.waiting, 0)
  t.match(await write(3, { accept: acceptTurn(owners[3]?.id as number) }), { status: 'committed' })
  await commit.stop()
  await t.rejects(write(3, { title: 'late' }), { code: 'unavailable' })
  await shard.close()
})

t.test('a held write goes with the next one, or by itself', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const owners = await Promise.all([1, 2, 3].map(() => ownConversation(store)))
  const [held, alone, next] = owners as [Owned, Owned, Owned]
  const turns = owners.map((owned) => acceptTurn(owned.id))
  await Promise.all(owners.map((owned, n) => owned.write({ accept: turns[n] as (typeof turns)[number] })))
  const begin = (n: number): { conversationId: number; token: Owned['token']; begin: ReturnType<typeof beginTurn> } => ({ conversationId: owners[n]?.id as number, token: (owners[n] as Owned).token, begin: beginTurn(turns[n]?.turnId as string) })
  const results = await Promise.all([store.write(begin(0), { hold: new WriteHold() }), store.write(begin(2))])
  t.same(results, [{ status: 'committed' }, { status: 'committed' }])
  const client = await connectTo(t, url)
  const { rows } = await client.query('SELECT count(DISTINCT xmin::text)::integer AS transactions FROM turns WHERE conversation_id = ANY ($1)', [[held.id, next.id]])
  t.equal(rows[0].transactions, 1)
  const hold = new WriteHold()
  t.same(await store.write(begin(1), { hold }), { status: 'committed' })
  t.notOk(hold.withdraw())
  t.match(await alone.store.turn(turns[1]?.turnId as string), { run: 1 })
})

t.test('a held write that is taken back leaves nothing, and one that is under way is not taken back', async (t) => {
  const url = await newDatabase(postgres)
  const storage = await startStorage(t, [url], { logger })
  const owned = await ownConversation(storage.store)
  const turn = acceptTurn(owned.id)
  await owned.write({ accept: turn })
  const write = { conversationId: owned.id, token: owned.token, begin: beginTurn(turn.turnId) }
  const holds = Array.from({ length: 4 }, () => new WriteHold())
  const [first, second, third, last] = holds as [WriteHold, WriteHold, WriteHold, WriteHold]
  for (const hold of [first, second]) {
    const writing = storage.store.write(write, { hold })
    if (hold === second) hold.release()
    t.ok(hold.withdraw())
    t.same(await writing, { status: 'withdrawn' })
    t.notOk(hold.withdraw())
    t.equal(storage.waitingWrites(), 0)
  }
  t.match(await storage.store.turn(turn.turnId), { run: 0, state: 'queued' })
  const [locker, watcher] = [await connectTo(t, url), await connectTo(t, url)]
  await locker.query('BEGIN')
  await locker.query('SELECT FROM conversations WHERE id = $1 FOR UPDATE', [owned.id])
  const writing = storage.store.write(write, { hold: third })
  third.release()
  while ((await watcher.query(`SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'`)).rowCount === 0);
  t.notOk(third.withdraw())
  await locker.query('ROLLBACK')
  t.same(await writing, { status: 'committed' })
  t.match(await storage.store.turn(turn.turnId), { run: 1 })
  const stopping = storage.store.write({ ...write, begin: beginTurn(turn.turnId, 2) }, { hold: last })
  await storage.stop()
  t.same(await stopping, { status: 'committed' }, 'a stop waits for none')
})

t.test('a stop writes what waits, or rejects it where Postgres is away', async (t) => {
  const url = await newDatabase(postgres)
  const storage = await startStorage(t, [url], { logger })
  const owned = await ownConversation(storage.store)
  const writes = Array.from({ length: 20 }, (_, n) => owned.write({ accept: acceptTurn(owned.id, { content: `${n}` }) }))
  await Promise.all([storage.stop(), storage.stop()])
  t.ok((await Promise.all(writes)).every(({ status }) => status === 'committed'))

  const next = await startStorage(t, [url], { logger, node: 'node-2' })
  const moved = await ownConversation(next.store)
  await postgres.kill()
  const waiting = moved.write({ accept: acceptTurn(moved.id) })
  await Promise.all([t.rejects(waiting, { code: 'unavailable' }), next.stop()])
  t.equal(next.waitingWrites(), 0)
  await postgres.restart()
})

t.test('the load of many actors shares few transactions', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const owners = await Promise.all(Array.from({ length: 300 }, () => ownConversation(store)))
  const client = await connectTo(t, url)
  const results = await Promise.all(owners.map((owned) => owned.write({ accept: acceptTurn(owned.id) })))
  t.ok(results.every(({ status }) => status === 'committed'))
  const { rows } = await client.query('SELECT count(DISTINCT xmin::text)::integer AS transactions FROM turns')
  // At most 512 rows a group, three of each accept.
  t.ok(rows[0].transactions <= 3, `${rows[0].transactions} transactions`)
})
