/** An edge as a process of its own: conversations on Postgres, jobs and tokens over NATS. */
import { randomUUID } from 'node:crypto'
import type { Channel } from '../platform/bus/channel.ts'
import type { DeadLetters } from '../platform/bus/dead-letters.ts'
import type { JobQueue } from '../platform/bus/job-queue.ts'
import { NatsBus } from '../platform/bus/nats/nats-bus.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config/config.ts'
import type { OptionName } from '../platform/config/options.ts'
import type { ServerProcess } from '../platform/lifecycle/server-process.ts'
import { createCachesAndLimits } from '../platform/redis/caches-and-limits.ts'
import { configuredTracer } from '../platform/tracing/configured-tracer.ts'
import type { ConversationStore } from '../storage/conversation-store.ts'
import { evenShards } from '../storage/postgres/shard-map.ts'
import { asStartupFault } from '../storage/postgres/startup-fault.ts'
import { createPostgresStorage } from '../storage/postgres/storage.ts'
import { ContextCache } from '../actors/context/context-cache.ts'
import { createConversationRuntime } from '../actors/runtime/runtime.ts'
import { authenticationSettings, createAuthentication } from './auth/configured.ts'
import { configuredEdge } from './configured-edge.ts'
import { createEdge } from './edge.ts'
import { configureLimits } from './limits/configured-limits.ts'
import { BusModelDirectory } from './models/model-directory.ts'

/** Without these there are no other processes to work with. */
export const edgeRequires: readonly OptionName[] = ['NATS_URL', 'DATABASE_URL']

export interface EdgeAdapters {
  readonly store: ConversationStore
  readonly channel: Channel
  readonly jobQueue: JobQueue
  readonly deadLetters: DeadLetters
}

/** Resolves once it takes clients. `adapt` may put something between the actors and what they stand on. */
export async function startEdgeProcess(config: Config, server: ServerProcess, adapt = (adapters: EdgeAdapters): EdgeAdapters => adapters): Promise<void> {
  const { node, logger, metrics, parts, readiness } = server
  const clock = systemClock
  const authentication = authenticationSettings(config)

  const tracer = await configuredTracer(config, 'edge', parts)
  const storage = createPostgresStorage({ shards: evenShards(config.DATABASE_URL), node, bootId: randomUUID(), logger, clock })
  await parts.add(storage).catch((error: unknown) => {
    throw asStartupFault(error)
  })
  const bus = await parts.add(new NatsBus({ urls: config.NATS_URL, name: `chatterbot ${node}`, logger, replicas: config.CHATTERBOT_JOB_REPLICAS }))
  const { channel } = bus
  readiness.push(
    { name: 'database', missing: () => (storage.liveness.lapsed.length === 0 ? null : 'the database does not answer') },
    { name: 'bus', missing: () => (channel.status === 'connected' ? null : 'NATS does not answer') },
  )

  const { connection, cache, ...shared } = createCachesAndLimits({ redisUrl: config.REDIS_URL, node, logger, clock, metrics })
  if (connection !== null) await parts.add(connection)
  const adapters = adapt({ store: storage.store, channel, jobQueue: bus.jobQueue, deadLetters: bus.deadLetters })
  const limits = await configureLimits(config, { ...shared, store: adapters.store, logger, clock })
  const contexts = new ContextCache({ store: adapters.store, cache: cache('context'), timelineOf: (id) => storage.liveness.timelineOf(id), metrics })
  const runtime = await parts.add(createConversationRuntime({ ...adapters, contexts, node, logger, clock, turnDeadlineMs: config.CHATTERBOT_TURN_DEADLINE_SECONDS * 1000, lapsed: (id) => storage.liveness.lapsedFor(id), onTurnEnded: limits.onTurnEnded, tracer }))
  metrics.gauge({ name: 'chatterbot_waiting_writes', help: 'Writes that have no outcome yet' }, (gauge) => gauge.set(storage.waitingWrites()))
  metrics.gauge({ name: 'chatterbot_actors', help: 'Conversations in memory' }, (gauge) => gauge.set(runtime.counts().actors))
  metrics.gauge({ name: 'chatterbot_unfinished_turns', help: 'Turns accepted and not ended' }, (gauge) => gauge.set(runtime.counts().turns))

  const service = limits.limitTurns(runtime.service)
  const identities = await createAuthentication(authentication, { credentials: storage.credentials, limits: shared.limits, clock, logger }, parts)
  const edge = await parts.add(createEdge({ ...configuredEdge(config), ...identities, sharesPort: true, service, limits, models: new BusModelDirectory({ channel, node, monotonic: () => clock.monotonic() }), readiness, metrics, tracer, logger, clock }))
  server.sayReady({ port: edge.port })
}
