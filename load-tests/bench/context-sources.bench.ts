/**
 * What it costs an edge to get a turn's context: from its own memory, from Redis, from Postgres. One after another, so
 * that a time is that of one begin.
 *
 *     npm run build && node dist/load-tests/bench/context-sources.bench.js
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
import { report, spread } from './measure.ts'

const operations = 300
const question = 'What does a compiler do with a name that it has not seen before? '
const answer = 'It looks the name up in the scopes around it, from the innermost out, and says so where there is none. '.repeat(12)

const ends: (() => unknown)[] = []
const bench: TestContext = { teardown: (end) => ends.push(end) }
const logger = createLogger({ level: 'warn', name: 'bench', fd: 2 })

const postgres = await startPostgres(bench)
const redis = await startRedisServer(bench)
const { store } = await startStorage(bench, [await newDatabase(postgres)], { logger })
const connection = new RedisConnection({ url: redis.url, name: 'bench', logger, clock: systemClock, metrics: createMetrics({ role: 'bench', node: 'connection' }) })
ends.push(() => connection.stop())
await connection.start()

for (const exchanges of [1, 10, 50]) {
  const owned = await ownConversation(store)
  let leaf: number | null = null
  for (let n = 0; n < exchanges; n += 1) leaf = (await owned.exchange(question, answer, leaf)).replyMessageId
  const turn = { userMessageId: leaf ?? 0, parentId: null }
  const cached = (keptBytes: number): ContextSource =>
    new ContextCache({ store, cache: new RedisCache(connection), timelineOf: () => 'bench', metrics: createMetrics({ role: 'bench', node: String(keptBytes) }), keptBytes })
  const sources = { 'own memory': cached(32 * 1024 * 1024), Redis: cached(2), Postgres: storedContexts(store) }
  const read = async (source: ContextSource): Promise<void> => {
    for (let n = 0; n < operations; n += 1) await source.path(owned.id, turn)
  }
  const times: string[] = []
  for (const [name, source] of Object.entries(sources)) {
    await read(source)
    const ms: number[] = []
    for (let n = 0; n < operations; n += 1) {
      const began = performance.now()
      await source.path(owned.id, turn)
      ms.push(performance.now() - began)
    }
    times.push(`${name} ${spread(ms).median.toFixed(3)} ms`)
  }
  const [first, ...others] = Object.entries(sources).map(([name, source]) => ({ name, run: () => read(source) })) as [{ name: string; run: () => Promise<void> }, ...{ name: string; run: () => Promise<void> }[]]
  await report({ title: `The context of a turn after ${exchanges} exchanges: ${times.join(', ')}`, unit: 'context', operations, rounds: 5, cases: [first, ...others] })
}

for (const end of ends.toReversed()) await end()
await logger.close()
