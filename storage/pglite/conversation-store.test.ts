import { randomUUID } from 'node:crypto'
import t from 'tap'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { evenShards } from '../postgres/shard-map.ts'
import { createPostgresStorage } from '../postgres/storage.ts'
import { credentialSuite } from '../testing/credential-suite.ts'
import { storeSuite } from '../testing/store-suite.ts'
import { EmbeddedPostgres } from './supervisor.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())
t.setTimeout(300_000)

let embedded: EmbeddedPostgres
t.before(async () => {
  embedded = new EmbeddedPostgres({ dataFolder: t.testdir(), logger })
  await embedded.start()
})
t.teardown(() => embedded.stop())

storeSuite(t, async (node) => {
  const storage = createPostgresStorage({ shards: evenShards([embedded.url], { embedded: true }), node, bootId: randomUUID(), logger, clock: systemClock })
  await storage.start()
  return storage
})

t.test('credentials', (t) => {
  credentialSuite(t, async () => {
    const storage = createPostgresStorage({ shards: evenShards([embedded.url], { embedded: true }), node: 'credentials', bootId: randomUUID(), logger, clock: systemClock })
    t.teardown(() => storage.stop())
    await storage.start()
    return storage.credentials
  })
  t.end()
})
