/** Brings a shard's schema to this program's. */
import { createHash } from 'node:crypto'
import { advisoryLocks } from './advisory-locks.ts'
import { isMissingTable } from './faults.ts'
import type { Migration } from './migrations/migration.ts'
import type { Client } from './pool.ts'
import { StorageSetupError } from './setup-error.ts'
import { pipeline, type Shard } from './shard.ts'
import { bucketsOf, type ShardConfig } from './shard-map.ts'

/** Another process may be migrating, and a table may be large. */
const patienceMs = 600_000
/** A statement that waits for a lock on a table makes everyone queue up behind it. */
const lockMs = 3_000

interface AppliedMigration {
  readonly [column: string]: unknown
  readonly version: number
  readonly hash: string
}

export function migrationHash({ name, statements }: Migration): string {
  return createHash('sha256').update(JSON.stringify([name, ...statements])).digest('hex')
}

/**
 * Runs what has not been run yet, each in its transaction, one process at a time; where nothing is missing it only reads,
 * and needs no right to change the schema. On a new shard the first gives it the buckets of `config`; what a shard owns
 * later changes only when buckets are moved. Migrations that this program does not know are left alone: an older program
 * may run beside a newer one. Rejects with StorageSetupError `changed_migration`.
 */
export async function migrate(shard: Shard, migrations: readonly Migration[]): Promise<void> {
  const applied = await appliedMigrations(shard)
  for (const migration of migrations) {
    const hash = applied.get(migration.version)
    if (hash === undefined) await shard.withClient((client) => runMigration(client, migration, shard.config))
    else requireSame(migration, hash, shard.name)
  }
}

async function appliedMigrations(shard: Shard): Promise<ReadonlyMap<number, string>> {
  try {
    const rows = await shard.read<AppliedMigration>({ name: 'applied_migrations', text: 'SELECT version, hash FROM schema_migrations' }, [])
    return new Map(rows.map(({ version, hash }) => [version, hash]))
  } catch (error) {
    if (isMissingTable(error)) return new Map()
    throw error
  }
}

function requireSame(migration: Migration, hash: string, shard: string): void {
  if (hash === migrationHash(migration)) return
  throw new StorageSetupError('changed_migration', `migration ${migration.version} (${migration.name}) of ${shard} was run with other contents`)
}

async function runMigration(client: Client, migration: Migration, config: ShardConfig): Promise<void> {
  const [first, second] = advisoryLocks.migrations
  const opening = [
    { statement: 'BEGIN' },
    { statement: `SET LOCAL statement_timeout = ${patienceMs}` },
    { statement: `SELECT pg_advisory_xact_lock(${first}, ${second})` },
    { statement: `SET LOCAL lock_timeout = ${lockMs}` },
    {
      statement: `CREATE TABLE IF NOT EXISTS schema_migrations (
        version integer PRIMARY KEY,
        name text NOT NULL,
        hash text NOT NULL,
        applied_at timestamptz NOT NULL DEFAULT now()
      )`,
    },
  ]
  await pipeline(client, opening, patienceMs)
  const { rows } = await client.query<AppliedMigration>('SELECT version, hash FROM schema_migrations WHERE version = $1', [migration.version])
  if (rows[0] !== undefined) requireSame(migration, rows[0].hash, config.name)
  else {
    await pipeline(client, migration.statements.map((statement) => ({ statement })), patienceMs)
    await client.query('INSERT INTO schema_migrations (version, name, hash) VALUES ($1, $2, $3)', [migration.version, migration.name, migrationHash(migration)])
    if (migration.version === 1) await client.query('INSERT INTO owned_buckets (bucket) SELECT unnest($1::smallint[])', [bucketsOf(config)])
  }
  await client.query('COMMIT')
}

/** Throws StorageSetupError `wrong_shard` where the shard does not own what the map gives to it. */
export async function requireOwnBuckets(shard: Shard): Promise<void> {
  const rows = await shard.read<{ bucket: number }>({ name: 'owned_buckets', text: 'SELECT bucket FROM owned_buckets' }, [])
  const owned = new Set(rows.map(({ bucket }) => bucket))
  const foreign = bucketsOf(shard.config).filter((bucket) => !owned.has(bucket))
  if (foreign.length === 0) return
  throw new StorageSetupError('wrong_shard', `the shard map gives ${foreign.length} buckets to shard ${shard.name} that its database does not own, such as ${foreign[0]}`)
}
