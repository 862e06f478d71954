import t from 'tap'
import { startRedisServer } from '../../../tests/harness/redis-server.ts'
import { startConnection, untilAvailable } from '../../redis/testing/redis.ts'
import { testLimits } from '../limits.conformance.ts'
import { RedisLimits } from './redis-limits.ts'

const monotonic = (): number => performance.now()
const definition = { name: 'test', points: 3, perSeconds: 60 }

t.test('limits in Redis conform', async (t) => {
  const server = await startRedisServer(t)
  await testLimits(t, new RedisLimits((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection, { monotonic }))
})

t.test('limits without Redis conform: this process keeps them', async (t) => {
  const server = await startRedisServer(t)
  const { connection } = await startConnection(t, server.url)
  await server.kill()
  await testLimits(t, new RedisLimits(connection, { monotonic }))
})

t.test('processes share a limit, each keeps its own while Redis is away, and they share it again', async (t) => {
  const server = await startRedisServer(t)
  const connections = [await startConnection(t, server.url, { timeoutMs: 2_000 }), await startConnection(t, server.url, { timeoutMs: 2_000 })]
  const [one, two] = connections.map(({ connection }) => new RedisLimits(connection, { monotonic }).limit(definition))
  if (one === undefined || two === undefined) throw new Error('two were made')
  t.match(await one.take('ann', 2), { allowed: true, remaining: 1 })
  t.match(await two.take('ann'), { allowed: true, remaining: 0 })
  t.match(await one.take('ann'), { allowed: false })

  await server.kill()
  t.match(await one.take('ann', 3), { allowed: true })
  t.match(await one.take('ann'), { allowed: false })
  t.match(await two.take('ann', 3), { allowed: true })

  // Empty, its scripts too.
  await server.start()
  for (const connection of connections) await untilAvailable(connection)
  t.match(await one.take('ann', 3), { allowed: true })
  t.match(await two.take('ann'), { allowed: false })
})

t.test('something else under a key is a limit of this process', async (t) => {
  const server = await startRedisServer(t)
  const { connection } = await startConnection(t, server.url)
  await connection.request(0, (client) => client.lpush('chatterbot:limit:test:ann', 'garbage'))
  const limit = new RedisLimits(connection, { monotonic }).limit(definition)
  t.match(await limit.take('ann', 3), { allowed: true })
  t.match(await limit.take('ann'), { allowed: false })
})
