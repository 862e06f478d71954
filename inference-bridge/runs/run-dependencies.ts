/** What every run of a bridge shares. */
import type { Channel } from '../../platform/bus/channel.ts'
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Tracer } from '../../platform/tracing/tracer.ts'
import type { BridgeMetrics } from '../bridge-metrics.ts'
import type { TokenCounts } from '../context/token-counts.ts'
import type { DeltaPublisher } from '../delivery/delta-publisher.ts'
import type { ReplicaSet } from '../replicas/replica-set.ts'
import type { ResultCache } from '../results/result-cache.ts'
import type { BridgeTiming, GenerationDefaults } from '../settings.ts'

export interface RunDependencies {
  readonly bridge: string
  readonly channel: Channel
  readonly replicas: ReplicaSet
  readonly counts: TokenCounts
  readonly publisher: DeltaPublisher
  /** Null: every reply is generated. */
  readonly results: ResultCache | null
  readonly defaults: GenerationDefaults
  readonly timing: BridgeTiming
  readonly clock: Clock
  readonly logger: Logger
  readonly metrics: BridgeMetrics
  readonly tracer: Tracer
}
