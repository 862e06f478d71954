/** The door to Postgres: the store, and what keeps its shards in order. */
import { bucketOfId, monthOf } from '../../protocol/ids.ts'
import type { Clock } from '../../platform/clock.ts'
import { once } from '../../platform/lifecycle/once.ts'
import type { Service } from '../../platform/lifecycle/service.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../conversation-store.ts'
import type { CredentialStore } from '../credential-store.ts'
import { PostgresConversationStore } from './conversation-store.ts'
import { PostgresCredentialStore } from './credential-store.ts'
import { asChatError, isPassing } from './faults.ts'
import { FirstWrites } from './first-writes.ts'
import { GroupCommit, WriteBudget } from './group-commit.ts'
import { History } from './history.ts'
import { Liveness } from './liveness.ts'
import { keepMessagePartitions } from './message-partitions.ts'
import { migrate, requireOwnBuckets } from './migrate.ts'
import { migrations } from './migrations/all.ts'
import { Ownership } from './ownership.ts'
import { Shard } from './shard.ts'
import { mapBuckets, type ShardConfig } from './shard-map.ts'

/** Bytes of writes that a process holds while Postgres is away. */
const waitingBytes = 64 * 1024 * 1024
const upkeepEveryMs = 60_000

export interface PostgresStorageOptions {
  /** Every bucket belongs to exactly one. */
  readonly shards: readonly ShardConfig[]
  /** This process among those that share the database. */
  readonly node: string
  /** New for every start of the process. */
  readonly bootId: string
  readonly logger: Logger
  readonly clock: Clock
}

export interface PostgresStorage extends Service {
  readonly store: ConversationStore
  readonly credentials: CredentialStore
  readonly liveness: Liveness
  /** Brings the schema of every shard up to date. `start` does so too: this is for whoever does only that, with rights of its own. */
  migrate(): Promise<void>
  /**
   * Rejects with StorageSetupError where a shard is not what the configuration says, with ChatError `unavailable` where
   * none can be reached. One that cannot, beside others, is taken in when it can.
   */
  start(): Promise<void>
  /** Writes that have no outcome yet, for metrics. */
  waitingWrites(): number
}

/** Throws StorageSetupError `invalid_shard_map`. */
export function createPostgresStorage(options: PostgresStorageOptions): PostgresStorage {
  return new Storage(options)
}

class Storage implements PostgresStorage {
  readonly name = 'postgres'
  readonly store: ConversationStore
  readonly credentials: CredentialStore
  readonly liveness: Liveness
  readonly #options: PostgresStorageOptions
  readonly #shards: readonly Shard[]
  readonly #commits: readonly GroupCommit[]
  readonly #firstWrites: readonly FirstWrites[]
  readonly #ownerships: readonly Ownership[]
  /** Shards that were reached once, and are what the configuration says. */
  readonly #prepared = new Set<Shard>()
  readonly #upkeeps = new Set<Promise<void>>()
  #timer: NodeJS.Timeout | null = null
  #stopping = false

  constructor(options: PostgresStorageOptions) {
    this.#options = options
    const { shards, node, bootId, logger, clock } = options
    this.#shards = shards.map((config) => new Shard({ config, applicationName: `chatterbot ${node}`, logger }))
    const ofBucket = mapBuckets(this.#shards)
    const shardOf = (conversationId: number): Shard => ofBucket[bucketOfId(conversationId)] as Shard
    this.liveness = new Liveness({ shards: this.#shards, shardOf, node, bootId, clock, logger })
    const budget = new WriteBudget(waitingBytes)
    this.#commits = this.#shards.map((shard) => new GroupCommit({ shard, budget, logger, makePartitions: () => this.#keepPartitions(shard) }))
    const parts = this.#shards.map((shard, index) => ({
      shard,
      writes: new FirstWrites({ shard, commit: this.#commits[index] as GroupCommit, budget, logger }),
      ownership: new Ownership({ shard, node, bootId, liveness: this.liveness.of(shard) }),
      history: new History(shard, clock, logger),
    }))
    this.#firstWrites = parts.map(({ writes }) => writes)
    this.#ownerships = parts.map(({ ownership }) => ownership)
    this.credentials = new PostgresCredentialStore(this.#shards[0] as Shard, (bucket) => ofBucket[bucket] as Shard)
    const partsOf = new Map(parts.map((part) => [part.shard, part]))
    this.store = new PostgresConversationStore(parts, ofBucket.map((shard) => partsOf.get(shard) as (typeof parts)[number]), logger)
  }

  async migrate(): Promise<void> {
    await Promise.all(this.#shards.map((shard) => migrate(shard, migrations)))
  }

  readonly start = once(async () => {
    const prepared = await Promise.allSettled(this.#shards.map((shard) => this.#prepare(shard)))
    const failures = prepared.flatMap((outcome) => (outcome.status === 'rejected' ? [outcome.reason as unknown] : []))
    const fatal = failures.find((error) => !isPassing(error)) ?? (failures.length === prepared.length ? failures[0] : undefined)
    if (fatal !== undefined) throw asChatError(fatal)
    for (const error of failures) this.#options.logger.error({ err: error }, 'a shard cannot be reached yet')
    if (this.#stopping) return
    this.#timer = setInterval(() => this.#upkeep(), upkeepEveryMs)
    await this.liveness.start()
  })

  readonly stop = once(async () => {
    this.#stopping = true
    if (this.#timer !== null) clearInterval(this.#timer)
    await Promise.all([...this.#firstWrites, ...this.#commits, ...this.#ownerships].map((part) => part.stop()))
    await this.liveness.stop()
    await Promise.all(this.#upkeeps)
    await Promise.all(this.#shards.map((shard) => shard.close()))
  })

  waitingWrites(): number {
    return this.#commits.reduce((sum, { waiting }) => sum + waiting, 0)
  }

  async #prepare(shard: Shard): Promise<void> {
    await migrate(shard, migrations)
    await requireOwnBuckets(shard)
    await this.#keepPartitions(shard)
    this.#prepared.add(shard)
  }

  #upkeep(): void {
    for (const shard of this.#shards) {
      const upkeep = (this.#prepared.has(shard) ? this.#keepPartitions(shard) : this.#prepare(shard))
        .catch((error: unknown) => this.#options.logger.error({ err: error, shard: shard.name }, 'a shard was not looked after'))
        .finally(() => this.#upkeeps.delete(upkeep))
      this.#upkeeps.add(upkeep)
    }
  }

  #keepPartitions(shard: Shard): Promise<void> {
    return keepMessagePartitions(shard, monthOf(this.#options.clock.now()))
  }
}
