import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { acceptTurn, claimed, createConversation, endTurn, Owned, ownConversation, unique, wide } from '../testing/writes.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

async function newStore(t: Parameters<typeof startStorage>[0]) {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const client = await connectTo(t, url)
  const count = async (table: string): Promise<number> => (await client.query(`SELECT count(*)::integer AS count FROM ${table}`)).rows[0].count as number
  const history = (length: number) => Array.from({ length }, (_, n) => ({ role: 'user', content: `m${n}` }) as const)
  const shortLived = async (length = 0): Promise<Owned> => {
    const row = await store.createConversation({ userId: unique('user'), clientConversationId: null, title: null, model: null, system: null, history: history(length), expiresAfterMs: 60_000 })
    return new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
  }
  /** Time passes for conversations that expire, and for turns that have ended. */
  const pass = async (minutes: number): Promise<void> => {
    await client.query(`UPDATE expiring_conversations SET expires_at = expires_at - $1 * interval '1 minute'`, [minutes])
    await client.query(`UPDATE turns SET ended_at = ended_at - $1 * interval '1 minute'`, [minutes])
  }
  return { url, store, client, count, shortLived, pass }
}

t.test('rows of deleted conversations go a bounded number at a time, and nobody else\'s', async (t) => {
  const { store, count, shortLived } = await newStore(t)
  const kept = await ownConversation(store)
  await kept.exchange('stay', 'here')
  for (const length of [250, 3, 0]) {
    const owned = await shortLived(length)
    await owned.exchange('hello', 'there')
    const dead = acceptTurn(owned.id)
    await owned.write({ accept: dead })
    await owned.write({ ends: [endTurn(dead.turnId, 0, '', { end: { type: 'failed', error: { code: 'internal', message: '', retryable: true } }, deadLetter: true })] })
    await owned.write({ remove: true })
  }
  t.same([await count('messages'), await count('turns'), await count('deleted_conversations'), await count('unsent_dead_letters')], [2 + 253 + 3 * 4, 1 + 3 * 2, 3, 3])
  const left = [await count('messages')]
  while (await store.purge({ limit: 100 })) left.push(await count('messages'))
  t.same(left, [267, 167, 67])
  t.same([await count('messages'), await count('turns'), await count('deleted_conversations'), await count('unsent_dead_letters'), await count('conversations')], [2, 1, 0, 0, 1])
  t.equal((await store.messagesBefore(kept.id, wide)).messages.length, 2)
})

t.test('a conversation expires when its time is over, and not while a turn of it is unfinished or has just ended', async (t) => {
  const { store, count, shortLived, pass } = await newStore(t)
  const [idle, busy] = [await shortLived(2), await shortLived()]
  const lasting = await createConversation(store)
  const turn = acceptTurn(busy.id)
  await busy.write({ accept: turn })
  t.equal(await store.purge({ limit: 10 }), false)
  t.ok(await store.conversation(idle.id))
  await pass(2)
  await store.purge({ limit: 10 })
  t.equal(await store.conversation(idle.id), null)
  t.ok(await store.conversation(busy.id))
  t.same(await idle.write({ accept: acceptTurn(idle.id) }), { status: 'stale' })
  await busy.write({ ends: [endTurn(turn.turnId, 0)] })
  await store.purge({ limit: 10 })
  t.ok(await store.conversation(busy.id), 'who reads the end finds it')
  await pass(2)
  await store.purge({ limit: 10 })
  t.equal(await store.conversation(busy.id), null)
  t.same([await count('messages'), await count('turns'), await count('expiring_conversations'), await count('deleted_conversations')], [0, 0, 0, 0])
  t.ok(await store.conversation(lasting.conversationId))
})

t.test('one that is deleted before it expires is forgotten', async (t) => {
  const { store, count, shortLived, pass } = await newStore(t)
  await (await shortLived()).write({ remove: true })
  await pass(2)
  await store.purge({ limit: 10 })
  t.same([await count('expiring_conversations'), await count('deleted_conversations')], [0, 0])
})

t.test('a turn that is accepted while its conversation is about to expire keeps it', async (t) => {
  const { url, store, client, count, shortLived, pass } = await newStore(t)
  const other = await startStorage(t, [url], { logger, node: 'node-2' })
  const all = await Promise.all(Array.from({ length: 60 }, () => shortLived()))
  await pass(2)
  const [results] = await Promise.all([
    Promise.all(all.map((owned) => owned.write({ accept: acceptTurn(owned.id) }))),
    ...[store, other.store].map(async (each) => {
      while (await each.purge({ limit: 10 }));
    }),
  ])
  const accepted = all.filter((_, index) => results[index]?.status === 'committed')
  t.ok(results.every(({ status }) => status === 'committed' || status === 'stale'))
  t.equal(await count('conversations'), accepted.length)
  t.equal((await client.query('SELECT count(*)::integer AS count FROM turns t JOIN conversations c ON c.id = t.conversation_id')).rows[0].count, accepted.length)
})
