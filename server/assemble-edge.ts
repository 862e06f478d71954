/** An edge with its actors, limits and identities, over whatever adapters its process has. */
import type { Channel } from '../platform/bus/channel.ts'
import type { DeadLetters } from '../platform/bus/dead-letters.ts'
import type { JobQueue } from '../platform/bus/job-queue.ts'
import type { Clock } from '../platform/clock.ts'
import type { Config } from '../platform/config/config.ts'
import type { ServiceGroup } from '../platform/lifecycle/service-group.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { Metrics } from '../platform/metrics/metrics.ts'
import type { CachesAndLimits } from '../platform/redis/caches-and-limits.ts'
import type { ReadinessPart } from '../platform/status/status.ts'
import type { Tracer } from '../platform/tracing/tracer.ts'
import type { ConversationStore } from '../storage/conversation-store.ts'
import type { PostgresStorage } from '../storage/postgres/storage.ts'
import { ContextCache } from '../actors/context/context-cache.ts'
import { createConversationRuntime } from '../actors/runtime/runtime.ts'
import { createAuthentication, type AuthenticationSettings } from './auth/configured.ts'
import { configuredEdge } from './configured-edge.ts'
import { createEdge, type Edge } from './edge.ts'
import { configureLimits } from './limits/configured-limits.ts'
import { BusModelDirectory } from './models/model-directory.ts'

/** What the actors stand on. */
export interface EdgeAdapters {
  readonly store: ConversationStore
  readonly channel: Channel
  readonly jobQueue: JobQueue
  readonly deadLetters: DeadLetters
}

export interface EdgeProcessParts {
  readonly config: Config
  readonly authentication: AuthenticationSettings
  readonly adapters: EdgeAdapters
  /** Started. */
  readonly storage: Pick<PostgresStorage, 'credentials' | 'liveness' | 'waitingWrites'>
  /** As the above. */
  readonly shared: Omit<CachesAndLimits, 'connection'>
  /** Whether other edges listen on the port too. */
  readonly sharesPort: boolean
  readonly readiness: readonly ReadinessPart[]
  /** Gets what is started here. */
  readonly parts: ServiceGroup
  readonly metrics: Metrics
  readonly tracer: Tracer
  readonly logger: Logger
  readonly clock: Clock
}

/** Resolves once it takes clients. Rejects with StartupFault where the configuration is at fault. */
export async function assembleEdge({ config, authentication, adapters, storage, shared, sharesPort, readiness, parts, metrics, tracer, logger, clock }: EdgeProcessParts): Promise<Edge> {
  const node = config.CHATTERBOT_NODE_ID
  const { store, channel } = adapters
  const limits = await configureLimits(config, { ...shared, store, logger, clock })
  const contexts = new ContextCache({ store, cache: shared.cache('context'), timelineOf: (id) => storage.liveness.timelineOf(id), metrics })
  const runtime = await parts.add(
    createConversationRuntime({
      ...adapters,
      contexts,
      node,
      logger,
      clock,
      turnDeadlineMs: config.CHATTERBOT_TURN_DEADLINE_SECONDS * 1000,
      lapsed: (id) => storage.liveness.lapsedFor(id),
      onTurnEnded: limits.onTurnEnded,
      tracer,
    }),
  )
  metrics.gauge({ name: 'chatterbot_waiting_writes', help: 'Writes that have no outcome yet' }, (gauge) => gauge.set(storage.waitingWrites()))
  metrics.gauge({ name: 'chatterbot_actors', help: 'Conversations in memory' }, (gauge) => gauge.set(runtime.counts().actors))
  metrics.gauge({ name: 'chatterbot_unfinished_turns', help: 'Turns accepted and not ended' }, (gauge) => gauge.set(runtime.counts().turns))
  const identities = await createAuthentication(authentication, { credentials: storage.credentials, limits: shared.limits, clock, logger }, parts)
  return parts.add(
    createEdge({
      ...configuredEdge(config),
      ...identities,
      service: limits.limitTurns(runtime.service),
      limits,
      models: new BusModelDirectory({ channel, node, monotonic: () => clock.monotonic() }),
      sharesPort,
      readiness,
      metrics,
      tracer,
      logger,
      clock,
    }),
  )
}
