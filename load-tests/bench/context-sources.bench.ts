/**
 * What it costs an edge to get a turn's context: from its own memory, from Redis, from Postgres. One after another, so
 * that a time is that of one begin.
 */
import { ContextCache, storedContexts, type ContextSource } from '../../actors/context/context-cache.ts'
import { RedisCache } from '../../platform/cache/redis/redis-cache.ts'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { createMetrics } from '../../platform/metrics/metrics.ts'
import { RedisConnection } from '../../platform/redis/redis-connection.ts'
import { newDatabase, startStorage } from '../../storage/testing/postgres-shards.ts'
import { ownConversation } from '../../storage/testing/writes.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import { startRedisServer } from '../../tests/harness/redis-server.ts'
import { compare } from './compare.ts'
import { spread } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'

const operations = 300
const question = 'What does a compiler do with a name that it has not seen before? '
const answer = 'It looks the name up in the scopes around it, from the innermost out, and says so where there is none. '.repeat(12)

async function measure(bench: TestContext, ends: (() => unknown)[], rounds: number): Promise<Table[]> {
  const logger = createLogger({ level: 'warn', name: 'bench', fd: 2 })
  ends.push(() => logger.close())
  const postgres = await startPostgres(bench)
  const redis = await startRedisServer(bench)
  const { store } = await startStorage(bench, [await newDatabase(postgres)], { logger })
  const connection = new RedisConnection({ url: redis.url, name: 'bench', logger, clock: systemClock, metrics: createMetrics({ role: 'bench', node: 'connection' }) })
  ends.push(() => connection.stop())
  await connection.start()

  const tables: Table[] = []
  for (const exchanges of [1, 10, 50]) {
    const owned = await ownConversation(store)
    let leaf: number | null = null
    for (let n = 0; n < exchanges; n += 1) leaf = (await owned.exchange(question, answer, leaf)).replyMessageId
    const turn = { userMessageId: leaf ?? 0, parentId: null }
    const cached = (keptBytes: number): ContextSource =>
      new ContextCache({ store, cache: new RedisCache(connection), timelineOf: () => 'bench', metrics: createMetrics({ role: 'bench', node: String(keptBytes) }), keptBytes, sharedFrom: 1 })
    const waits = new Map<string, number[]>()
    const reading = (name: string, source: ContextSource) => ({
      name,
      run: async () => {
        const ms: number[] = []
        for (let n = 0; n < operations; n += 1) {
          const began = performance.now()
          await source.path(owned.id, turn)
          ms.push(performance.now() - began)
        }
        waits.set(name, [...(waits.get(name) ?? []), spread(ms).median])
      },
    })
    const table = await compare({
      title: `The context of a turn after ${exchanges} ${exchanges === 1 ? 'exchange' : 'exchanges'}`,
      unit: 'context',
      operations,
      rounds,
      cases: [reading('own memory', cached(32 * 1024 * 1024)), reading('Redis', cached(2)), reading('Postgres', storedContexts(store))],
    })
    // The first round did not count.
    tables.push({ ...table, contestants: table.contestants.map((each) => ({ ...each, figures: [...each.figures, { name: 'time, median', unit: 'ms', samples: waits.get(each.name)?.slice(1) ?? [] }] })) })
  }
  return tables
}

await runBenchmark({
  name: 'context-sources',
  title: 'Where a context comes from',
  question: "What does it cost an edge to get a turn's context from its own memory, from Redis, from Postgres?",
  options: { rounds: { default: 5, quick: 2, help: `of ${operations} contexts` } },
  run: async ({ rounds }) => {
    const ends: (() => unknown)[] = []
    try {
      return { tables: await measure({ teardown: (end) => ends.push(end) }, ends, rounds) }
    } finally {
      for (const end of ends.toReversed()) await end()
    }
  },
})
