/** What tests over a real Postgres need: databases, storages on them, and plain connections beside. */
import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { Clock } from '../../platform/clock.ts'
import { systemClock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { PostgresServer } from '../../tests/harness/postgres.ts'
import type { TestContext } from '../../tests/harness/processes.ts'
import { evenShards } from '../postgres/shard-map.ts'
import { createPostgresStorage, type PostgresStorage } from '../postgres/storage.ts'

export function newDatabase(postgres: PostgresServer): Promise<string> {
  return postgres.createDatabase(`d${randomUUID().replaceAll('-', '')}`)
}

export interface StartStorageOptions {
  readonly logger: Logger
  readonly node?: string
  readonly bootId?: string
  readonly clock?: Clock
}

/** Stopped with the test. */
export async function startStorage(t: TestContext, urls: readonly string[], options: StartStorageOptions): Promise<PostgresStorage> {
  const { logger, node = 'node-1', bootId = randomUUID(), clock = systemClock } = options
  const storage = createPostgresStorage({ shards: evenShards(urls), node, bootId, logger, clock })
  t.teardown(() => storage.stop())
  await storage.start()
  return storage
}

export async function connectTo(t: TestContext, url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url })
  client.on('error', () => {})
  await client.connect()
  t.teardown(() => client.end())
  return client
}
