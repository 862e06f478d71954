import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { testCache } from '../cache.conformance.ts'
import { MemoryCache } from './memory-cache.ts'

t.test('the cache in memory conforms', (t) => testCache(t, new MemoryCache({ maxBytes: 16 * 1024 * 1024 }), delay))

t.test('the cache stays below its bytes: what was used least lately goes', async (t) => {
  const cache = new MemoryCache({ maxBytes: 100_000 })
  for (let n = 0; n < 50; n += 1) {
    await cache.put(`key ${n}`, new Uint8Array(10_000).fill(n), 60_000)
    await cache.get('key 0')
  }
  t.ok(cache.bytes <= 100_000)
  t.ok(await cache.get('key 0'), 'used all the time')
  t.ok(await cache.get('key 49'))
  t.equal(await cache.get('key 30'), null)
})
