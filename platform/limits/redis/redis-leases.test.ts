import t from 'tap'
import { startRedisServer } from '../../../tests/harness/redis-server.ts'
import { startConnection, untilAvailable } from '../../redis/testing/redis.ts'
import { testLeases } from '../leases.conformance.ts'
import { RedisLeases } from './redis-leases.ts'

const lease = (id: string) => ({ id, holders: [{ key: 'ann', most: 1 }], forMs: 60_000, note: 'note' })

t.test('leases in Redis conform', async (t) => {
  const server = await startRedisServer(t)
  await testLeases(t, new RedisLeases((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection))
})

t.test('one process gives back what another has taken', async (t) => {
  const server = await startRedisServer(t)
  const one = new RedisLeases((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection)
  const two = new RedisLeases((await startConnection(t, server.url, { timeoutMs: 5_000 })).connection)
  t.match(await one.take(lease('a')), { allowed: true })
  t.match(await two.take(lease('b')), { allowed: false, key: 'ann' })
  t.same(await two.giveBack('a'), { keys: ['ann'], note: 'note' })
  t.match(await two.take(lease('b')), { allowed: true })
})

t.test('nothing is refused while Redis is away, and that is told; then it counts again', async (t) => {
  const server = await startRedisServer(t)
  const made = await startConnection(t, server.url, { timeoutMs: 2_000 })
  let uncounted = 0
  const leases = new RedisLeases(made.connection, { uncounted: () => (uncounted += 1) })
  await leases.take(lease('a'))
  await server.kill()
  for (const id of ['b', 'c', 'd']) t.same(await leases.take(lease(id)), { allowed: true, isNew: true })
  t.equal(uncounted, 3)
  t.equal(await leases.giveBack('a'), null)
  await server.start()
  await untilAvailable(made)
  t.match(await leases.take(lease('e')), { allowed: true })
  t.match(await leases.take(lease('f')), { allowed: false })
})

t.test('what somebody else has written is no lease', async (t) => {
  const server = await startRedisServer(t)
  const { connection } = await startConnection(t, server.url, { timeoutMs: 5_000 })
  const leases = new RedisLeases(connection)
  for (const [id, text] of [['a', 'garbage'], ['b', '{"keys":"ann"}'], ['c', '{"keys":[1],"note":""}']] as const) {
    await connection.request(0, (client) => client.set(`chatterbot:lease:${id}`, text))
    t.equal(await leases.giveBack(id), null)
  }
  await connection.request(0, (client) => client.set('chatterbot:leases:ann', 'no sorted set'))
  t.match(await leases.take(lease('d')), { allowed: true })
})
