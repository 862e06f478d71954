/**
 * Signs of life: a row for this process on each shard, renewed every second. A process that sees none for 5 s, by the
 * server's clock, may claim what this one owns. Only a hint: the fencing token keeps two owners from both writing.
 */
import type { Clock } from '../../platform/clock.ts'
import { once } from '../../platform/lifecycle/once.ts'
import type { Service } from '../../platform/lifecycle/service.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Client } from './pool.ts'
import type { Shard } from './shard.ts'
import type { Statement } from './statement.ts'
import { databaseTimeline, firstSign, lastSign, nextSign, nextSignWithTimeline } from './statements/liveness.ts'

const renewEveryMs = 1_000
/** Without a renewal for this long, others may take this process for dead soon. */
const lapseMs = 4_000

export interface LivenessOptions {
  readonly shards: readonly Shard[]
  readonly shardOf: (conversationId: number) => Shard
  readonly node: string
  readonly bootId: string
  readonly clock: Clock
  readonly logger: Logger
}

export class Liveness implements Service {
  readonly name = 'liveness'
  readonly #shards: ReadonlyMap<Shard, ShardLiveness>
  readonly #shardOf: (conversationId: number) => Shard
  #timer: NodeJS.Timeout | null = null

  constructor(options: LivenessOptions) {
    this.#shardOf = options.shardOf
    this.#shards = new Map(options.shards.map((shard) => [shard, new ShardLiveness(shard, options)]))
  }

  /** Whether this process could not renew its sign for 4 s where the conversation is, or anywhere: then what it owns there may be another's already. */
  lapsedFor(conversationId?: number): boolean {
    return conversationId === undefined ? this.lapsed.length > 0 : this.of(this.#shardOf(conversationId)).lapsed
  }

  /** Of the database where the conversation is; another after a failover. Null where it is not known, or may have changed since the last sign. */
  timelineOf(conversationId: number): string | null {
    return this.of(this.#shardOf(conversationId)).timeline
  }

  of(shard: Shard): ShardLiveness {
    return this.#shards.get(shard) as ShardLiveness
  }

  /** Names of the shards that have been without a renewal for 4 s. */
  get lapsed(): readonly string[] {
    return [...this.#shards.values()].filter(({ lapsed }) => lapsed).map(({ name }) => name)
  }

  /** Resolves once every shard that can be reached has its sign; one that cannot gets it later. */
  readonly start = once(async () => {
    this.#timer = setInterval(() => this.#tick(), renewEveryMs)
    await Promise.all([...this.#shards.values()].map((shard) => shard.renew()))
  })

  /** Takes the signs away, so that what is still owned may be claimed at once. */
  readonly stop = once(async () => {
    if (this.#timer !== null) clearInterval(this.#timer)
    await Promise.all([...this.#shards.values()].map((shard) => shard.remove()))
  })

  #tick(): void {
    for (const shard of this.#shards.values()) void shard.renew()
  }
}

export class ShardLiveness {
  readonly #shard: Shard
  readonly #options: LivenessOptions
  /** Monotonic, when the last statement that succeeded was sent. */
  #renewedAt: number | null = null
  #timeline: string | null = null
  #renewing: Promise<void> | null = null
  #failing = false
  #removed = false

  constructor(shard: Shard, options: LivenessOptions) {
    this.#shard = shard
    this.#options = options
  }

  get name(): string {
    return this.#shard.name
  }

  get lapsed(): boolean {
    return this.#renewedAt === null || this.#options.clock.monotonic() - this.#renewedAt >= lapseMs
  }

  get timeline(): string | null {
    return this.lapsed ? null : this.#timeline
  }

  /** Resolves once there is a first sign. Rejects where the shard cannot be reached. */
  async ensure(): Promise<void> {
    if (this.#renewedAt !== null) return
    const failure = await this.#attempt()
    if (failure !== undefined) throw failure
  }

  /** Never rejects. */
  async renew(): Promise<void> {
    this.#renewing ??= this.#attempt()
      .then((failure) => {
        if (failure !== undefined && !this.#failing) this.#options.logger.warn({ err: failure, shard: this.name }, 'sign of life not renewed')
        this.#failing = failure !== undefined
      })
      .finally(() => {
        this.#renewing = null
      })
    await this.#renewing
  }

  /** Never rejects: a sign that stays behind lapses. */
  async remove(): Promise<void> {
    this.#removed = true
    await this.#renewing
    if (this.#renewedAt === null) return
    await this.#shard.withClient((client) => client.query(this.#bound(lastSign))).catch((error: unknown) => this.#options.logger.warn({ err: error, shard: this.name }, 'sign of life not removed'))
  }

  async #attempt(): Promise<Error | undefined> {
    if (this.#removed) return new Error('this process has stopped')
    const sentAt = this.#options.clock.monotonic()
    try {
      this.#timeline = await this.#shard.withClient((client) => this.#sign(client))
      this.#renewedAt = sentAt
      return undefined
    } catch (error) {
      this.#timeline = null
      return error instanceof Error ? error : new Error(String(error))
    }
  }

  /** Returns the timeline, or null. One statement does where the server told it the last time; what it does not tell must not fail the sign. */
  async #sign(client: Client): Promise<string | null> {
    if (this.#timeline !== null) return nameOf(await client.query<Timeline>(this.#bound(nextSignWithTimeline)))
    const [timeline] = await Promise.all([readTimeline(client), client.query(this.#bound(this.#renewedAt === null ? firstSign : nextSign))])
    return timeline
  }

  #bound(statement: Statement) {
    const { node, bootId } = this.#options
    return { ...statement, values: [node, bootId] }
  }
}

interface Timeline {
  readonly system: string
  readonly database: string
  readonly timeline: string
}

/** Null where the server does not tell, as some hosted ones: that is no reason to count as dead. */
async function readTimeline(client: Client): Promise<string | null> {
  try {
    return nameOf(await client.query<Timeline>(databaseTimeline))
  } catch {
    return null
  }
}

function nameOf({ rows: [row] }: { readonly rows: readonly Timeline[] }): string | null {
  return row === undefined ? null : `${row.system}.${row.database}.${row.timeline}`
}
