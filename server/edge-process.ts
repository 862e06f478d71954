/** An edge as a process of its own: conversations on Postgres, jobs and tokens over NATS. */
import { randomUUID } from 'node:crypto'
import v8 from 'node:v8'
import { NatsBus } from '../platform/bus/nats/nats-bus.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config/config.ts'
import type { OptionName } from '../platform/config/options.ts'
import type { ServerProcess } from '../platform/lifecycle/server-process.ts'
import { createCachesAndLimits } from '../platform/redis/caches-and-limits.ts'
import { configuredTracer } from '../platform/tracing/configured-tracer.ts'
import { evenShards } from '../storage/postgres/shard-map.ts'
import { asStartupFault } from '../storage/postgres/startup-fault.ts'
import { createPostgresStorage } from '../storage/postgres/storage.ts'
import { assembleEdge, type EdgeAdapters } from './assemble-edge.ts'
import { authenticationSettings } from './auth/configured.ts'

/** Without these there are no other processes to work with. */
export const edgeRequires: readonly OptionName[] = ['NATS_URL', 'DATABASE_URL']

/**
 * What the heap of an edge may grow by after a full collection until the next, in percent of what that left. V8's own
 * choice is up to three hundred: an edge lives among people who rest, and of what a turn needs much outlives the young
 * generation, so that most of its memory would be turns that are over.
 */
const heapGrowthPercent = 50

/** Resolves once it takes clients. `adapt` may put something between the actors and what they stand on. */
export async function startEdgeProcess(config: Config, server: ServerProcess, adapt = (adapters: EdgeAdapters): EdgeAdapters => adapters): Promise<void> {
  v8.setFlagsFromString(`--heap-growing-percent=${heapGrowthPercent}`)
  const { node, logger, metrics, parts, readiness } = server
  const clock = systemClock
  const authentication = authenticationSettings(config)

  const tracer = await configuredTracer(config, 'edge', parts)
  const storage = createPostgresStorage({ shards: evenShards(config.DATABASE_URL), node, bootId: randomUUID(), logger, clock })
  await parts.add(storage).catch((error: unknown) => {
    throw asStartupFault(error)
  })
  const bus = await parts.add(new NatsBus({ urls: config.NATS_URL, name: `chatterbot ${node}`, logger, replicas: config.CHATTERBOT_JOB_REPLICAS }))
  readiness.push(
    { name: 'database', missing: () => (storage.liveness.lapsed.length === 0 ? null : 'the database does not answer') },
    { name: 'bus', missing: () => (bus.channel.status === 'connected' ? null : 'NATS does not answer') },
  )

  const { connection, ...shared } = createCachesAndLimits({ redisUrl: config.REDIS_URL, node, logger, clock, metrics })
  if (connection !== null) await parts.add(connection)
  const adapters = adapt({ store: storage.store, channel: bus.channel, jobQueue: bus.jobQueue, deadLetters: bus.deadLetters })
  const edge = await assembleEdge({ config, authentication, adapters, storage, shared, sharesPort: true, readiness, parts, metrics, tracer, logger, clock })
  server.sayReady({ port: edge.port })
}
