import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { ConversationStore } from '../conversation-store.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { ownConversation, type Owned } from '../testing/writes.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())
t.setTimeout(120_000)

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

const { signal } = new AbortController()

async function longConversation(t: Parameters<typeof startStorage>[0], messages: number, bytes: number) {
  const url = await newDatabase(postgres)
  const storage = await startStorage(t, [url], { logger })
  const { store } = storage
  const client = await connectTo(t, url)
  const owned = await ownConversation(store)
  const first = await owned.exchange('the first', 'reply')
  await client.query(
    `INSERT INTO messages (conversation_id, id, created_at, role, content)
     SELECT $1::bigint, $2::bigint + n * 1024, now(), 'user', repeat('x', $4) FROM generate_series(1, $3) AS n`,
    [owned.id, first.replyMessageId, messages, bytes],
  )
  await client.query(`SELECT setval('message_sequence', (SELECT last_value FROM message_sequence) + $1)`, [messages])
  await client.query('UPDATE conversations SET last_message_id = $2::bigint + $3 * 1024 WHERE id = $1', [owned.id, first.replyMessageId, messages])
  /** What the server has open for this program beside what rests. */
  const open = async (): Promise<number> =>
    (await client.query(`SELECT count(*)::integer AS open FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() AND state <> 'idle' AND query LIKE '%messages m%'`)).rows[0].open as number
  return { storage, store, client, owned, open }
}

const until = async (condition: () => Promise<boolean>): Promise<void> => {
  while (!(await condition())) await new Promise((resolve) => setTimeout(resolve, 20))
}

async function count(store: ConversationStore, owned: Owned): Promise<number> {
  let messages = 0
  for await (const batch of store.exportMessages(owned.id, signal)) messages += batch.length
  return messages
}

t.test('an export takes no more memory for being long', async (t) => {
  const { store, owned } = await longConversation(t, 40_000, 4_000)
  const before = process.memoryUsage().heapUsed
  let most = 0
  let messages = 0
  for await (const batch of store.exportMessages(owned.id, signal)) {
    messages += batch.length
    most = Math.max(most, process.memoryUsage().heapUsed - before)
  }
  t.equal(messages, 40_002)
  t.ok(most < 64 * 1024 * 1024, `${Math.round(most / 2 ** 20)} MiB for 160 MB of text`)
})

t.test('an export is of one moment, whatever is written and deleted meanwhile', async (t) => {
  const { store, owned } = await longConversation(t, 500, 10)
  const reading = store.exportMessages(owned.id, signal)
  let messages = (await reading.next()).value?.length ?? 0
  await owned.exchange('later', 'reply')
  await owned.write({ remove: true })
  while (await store.purge({ limit: 100 }));
  for await (const batch of reading) messages += batch.length
  t.equal(messages, 502)
  t.equal(await count(store, owned), 0)
})

t.test('so many may read at a time, and whoever leaves makes room', async (t) => {
  const { store, client, owned, open } = await longConversation(t, 500, 10)
  const leaving = new AbortController()
  const readings = [leaving.signal, signal, signal, signal].map((each) => store.exportMessages(owned.id, each))
  for (const reading of readings) await reading.next()
  t.equal(await open(), 4)
  await t.rejects(store.exportMessages(owned.id, signal).next(), { code: 'overloaded' })
  await readings[1]?.return()
  t.equal(await count(store, owned), 502)
  leaving.abort(new Error('gone'))
  await t.rejects(async () => readings[0]?.next(), { message: 'gone' })
  t.equal(await count(store, owned), 502)
  await client.query(`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`)
  for (const reading of readings.slice(2)) await t.rejects(reading.next(), { code: 'unavailable' })
  await until(async () => (await open()) === 0)
  // Connections that rest hear of their end a moment after the server has ended them.
  await until(() => count(store, owned).then(() => true, (error: unknown) => !(error instanceof ChatError && error.code === 'unavailable')))
  t.equal(await count(store, owned), 502)
})

t.test('a storage that stops waits for no reader', async (t) => {
  const { storage, store, owned } = await longConversation(t, 500, 10)
  const reading = store.exportMessages(owned.id, signal)
  await reading.next()
  await storage.stop()
  await t.rejects(reading.next(), { code: 'unavailable' })
})
