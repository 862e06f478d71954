import { randomUUID } from 'node:crypto'
import { systemClock } from '../../platform/clock.ts'
import type { Config } from '../../platform/config/config.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { CredentialStore } from '../../storage/credential-store.ts'
import { EmbeddedPostgres } from '../../storage/pglite/supervisor.ts'
import { asChatError } from '../../storage/postgres/faults.ts'
import { evenShards, type ShardConfig } from '../../storage/postgres/shard-map.ts'
import { asStartupFault } from '../../storage/postgres/startup-fault.ts'
import { createPostgresStorage } from '../../storage/postgres/storage.ts'

export interface OpenCredentials {
  readonly credentials: CredentialStore
  readonly close: () => Promise<void>
}

/**
 * Of the databases that the configuration names, or else of the one in the data folder, which serves one process at a
 * time. Their schema is brought up to date, so that keys can be made before any server has run. Rejects with StartupFault.
 */
export async function openCredentials(config: Config, logger: Logger): Promise<OpenCredentials> {
  const embedded = config.DATABASE_URL.length > 0 ? null : new EmbeddedPostgres({ dataFolder: config.CHATTERBOT_DATA_DIR, logger })
  await embedded?.start()
  const shards: readonly ShardConfig[] = embedded === null ? evenShards(config.DATABASE_URL) : evenShards([embedded.url], { embedded: true })
  const storage = createPostgresStorage({ shards, node: config.CHATTERBOT_NODE_ID, bootId: randomUUID(), logger, clock: systemClock })
  const close = async (): Promise<void> => {
    await storage.stop()
    await embedded?.stop()
  }
  try {
    await storage.migrate()
  } catch (error) {
    await close()
    throw asStartupFault(asChatError(error))
  }
  return { credentials: storage.credentials, close }
}
