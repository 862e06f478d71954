import { setTimeout as delay } from 'node:timers/promises'
import { Redis } from 'ioredis'
import t from 'tap'
import { startRedisServer } from '../../../tests/harness/redis-server.ts'
import { startConnection, untilAvailable } from '../../redis/testing/redis.ts'
import { testCache } from '../cache.conformance.ts'
import { RedisCache } from './redis-cache.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

t.test('the cache in Redis conforms', async (t) => {
  const server = await startRedisServer(t)
  await testCache(t, new RedisCache((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection), delay)
})

t.test('what else lies under a key is a miss, and written over', async (t) => {
  const server = await startRedisServer(t)
  const cache = new RedisCache((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection)
  const plain = new Redis(server.url)
  t.teardown(() => plain.disconnect())
  const key = (name: string): string => `chatterbot:cache:${name}`
  await plain.lpush(key('list'), 'item')
  await plain.set(key('huge'), Buffer.alloc(64 * 1024 * 1024))
  await plain.set(key('empty'), '')
  await plain.hset(key('hash'), 'field', 'value')
  for (const name of ['list', 'huge', 'empty', 'hash']) {
    t.equal(await cache.get(name), null, name)
    await cache.put(name, bytes('ours'), 60_000)
    t.same(await cache.get(name), Buffer.from('ours'), name)
    const left = await plain.pttl(key(name))
    t.ok(left > 0 && left <= 60_000)
  }
})

t.test('two processes share it; one whose server is killed misses, and finds it again', async (t) => {
  const server = await startRedisServer(t)
  const [one, two] = [await startConnection(t, server.url), await startConnection(t, server.url)]
  const [mine, theirs] = [new RedisCache(one.connection), new RedisCache(two.connection)]
  await mine.put('shared', bytes('by one'), 60_000)
  t.same(await theirs.get('shared'), Buffer.from('by one'))
  await server.kill()
  t.equal(await theirs.get('shared'), null)
  await mine.put('shared', bytes('lost'), 60_000)
  await mine.delete('shared')
  await server.start()
  await untilAvailable(one)
  await untilAvailable(two)
  await mine.put('shared', bytes('again'), 60_000)
  t.same(await theirs.get('shared'), Buffer.from('again'))
})

t.test('a full memory that evicts nothing keeps nothing new, and harms nobody', async (t) => {
  const server = await startRedisServer(t, ['--maxmemory', '3mb'])
  const cache = new RedisCache((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection)
  for (let n = 0; n < 10; n += 1) await cache.put(`entry ${n}`, new Uint8Array(1024 * 1024), 60_000)
  t.equal(await cache.get('entry 9'), null)
})
