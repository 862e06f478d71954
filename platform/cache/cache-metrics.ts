/** What a process tells of its caches. */
import type { Metrics } from '../metrics/metrics.ts'
import type { Cache } from './cache.ts'

export type CacheName = 'context' | 'result'

/** Once a process: gives each cache its figures. */
export function declareCacheMetrics(metrics: Metrics): (cache: Cache, name: CacheName) => Cache {
  const reads = metrics.counter({ name: 'chatterbot_cache_reads_total', help: 'Reads from a cache, by whether something was found', labels: ['cache', 'found'] })
  const bytes = metrics.counter({ name: 'chatterbot_cache_bytes_total', help: 'Bytes read from a cache and written to it', labels: ['cache', 'direction'] })
  return (cache, name) => ({
    get: async (key) => {
      const entry = await cache.get(key)
      reads.inc({ cache: name, found: entry === null ? 'no' : 'yes' })
      bytes.inc({ cache: name, direction: 'read' }, entry?.byteLength ?? 0)
      return entry
    },
    put: (key, entry, ttlMs) => {
      bytes.inc({ cache: name, direction: 'written' }, entry.byteLength)
      return cache.put(key, entry, ttlMs)
    },
    delete: (key) => cache.delete(key),
  })
}
