/** Caches and limits of a process: in Redis where there is one, and else in its own memory. */
import { declareCacheMetrics, type CacheName } from '../cache/cache-metrics.ts'
import type { Cache } from '../cache/cache.ts'
import { MemoryCache } from '../cache/memory/memory-cache.ts'
import { RedisCache } from '../cache/redis/redis-cache.ts'
import type { Clock } from '../clock.ts'
import type { Service } from '../lifecycle/service.ts'
import type { Leases } from '../limits/leases.ts'
import { declareLimitMetrics, type LimitMetrics } from '../limits/limit-metrics.ts'
import type { Limits } from '../limits/limits.ts'
import { MemoryLeases } from '../limits/memory/memory-leases.ts'
import { MemoryLimits } from '../limits/memory/memory-limits.ts'
import { RedisLeases } from '../limits/redis/redis-leases.ts'
import { RedisLimits } from '../limits/redis/redis-limits.ts'
import type { Logger } from '../logging/logger.ts'
import type { Metrics } from '../metrics/metrics.ts'
import { RedisConnection } from './redis-connection.ts'

export interface CachesAndLimitsOptions {
  /** Null: in memory. */
  readonly redisUrl: string | null
  readonly node: string
  readonly logger: Logger
  readonly clock: Clock
  readonly metrics: Metrics
}

export interface CachesAndLimits {
  /** To be started before anything else is used; null where there is nothing to start. */
  readonly connection: Service | null
  readonly limits: Limits
  readonly leases: Leases
  readonly limitMetrics: LimitMetrics
  readonly cache: (name: CacheName) => Cache
}

/** Of all caches in memory together. */
const memoryBytes = 64 * 1024 * 1024

export function createCachesAndLimits({ redisUrl, node, logger, clock, metrics }: CachesAndLimitsOptions): CachesAndLimits {
  const limitMetrics = declareLimitMetrics(metrics)
  const measured = declareCacheMetrics(metrics)
  const local = { monotonic: () => clock.monotonic() }
  if (redisUrl === null) {
    const memory = new MemoryCache({ maxBytes: memoryBytes })
    metrics.gauge({ name: 'chatterbot_cache_memory_bytes', help: 'What the caches in this process take' }, (gauge) => gauge.set(memory.bytes))
    return { connection: null, limits: new MemoryLimits(local), leases: new MemoryLeases(local), limitMetrics, cache: (name) => measured(memory, name) }
  }
  const connection = new RedisConnection({ url: redisUrl, name: `chatterbot-${node}`, logger, clock, metrics })
  const shared = new RedisCache(connection)
  return { connection, limits: new RedisLimits(connection, { ...local, unshared: () => limitMetrics.unshared() }), leases: new RedisLeases(connection, { uncounted: () => limitMetrics.unshared() }), limitMetrics, cache: (name) => measured(shared, name) }
}
