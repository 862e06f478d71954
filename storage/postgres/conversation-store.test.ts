import { randomUUID } from 'node:crypto'
import t from 'tap'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { storeSuite } from '../testing/store-suite.ts'
import { evenShards } from './shard-map.ts'
import { createPostgresStorage } from './storage.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let urls: string[] = []
t.before(async () => {
  const postgres = await startPostgres(t)
  urls = [await postgres.createDatabase('one'), await postgres.createDatabase('two')]
})

storeSuite(t, async (node) => {
  const storage = createPostgresStorage({ shards: evenShards(urls), node, bootId: randomUUID(), logger, clock: systemClock })
  await storage.start()
  return storage
})
