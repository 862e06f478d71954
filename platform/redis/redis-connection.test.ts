import { once } from 'node:events'
import { createServer, type AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { freePort } from '../../tests/harness/ports.ts'
import { startRedisServer } from '../../tests/harness/redis-server.ts'
import { StartupFault } from '../lifecycle/startup-fault.ts'
import { type RedisConnection, RedisUnavailable } from './redis-connection.ts'
import { newConnection, startConnection, untilAvailable } from './testing/redis.ts'

const ping = (connection: RedisConnection): Promise<string> => connection.request(0, (client) => client.ping()).catch((error: unknown) => (error instanceof RedisUnavailable ? error.kind : String(error)))

async function faultOf(t: Test, url: string): Promise<StartupFault> {
  const { connection } = newConnection(t, url)
  const fault = await connection.start().then(() => null, (error: unknown) => error)
  if (!(fault instanceof StartupFault)) throw new Error(`no fault, but ${String(fault)}`)
  return fault
}

t.test('wrong credentials, missing ones, a missing database and a password without need are told as they are', async (t) => {
  const server = await startRedisServer(t, ['--requirepass', 'secret'])
  for (const url of [server.url, server.url.replace('//', '//:guess@'), server.url.replace('//', '//someone:secret@')]) {
    const fault = await faultOf(t, url)
    t.match(fault.message, /credentials/)
    t.match(fault.hint, /REDIS_URL/)
    t.notMatch(JSON.stringify([fault.message, fault.hint, fault.stack, String(fault.cause)]), /guess|secret/)
  }
  t.match((await faultOf(t, `${server.url.replace('//', '//:secret@')}/99`)).message, /DB index/)
  const { connection } = await startConnection(t, `${server.url.replace('//', '//:secret@')}/3`)
  t.equal(await ping(connection), 'PONG')
})

t.test('a server that is too old is refused, with the version needed', async (t) => {
  const answers = (command: string): string => {
    if (/hello/i.test(command)) return "-ERR unknown command 'HELLO'\r\n"
    const info = '# Server\r\nredis_version:5.0.14\r\nloading:0\r\n'
    return /info/i.test(command) ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n'
  }
  const server = createServer((socket) => {
    socket.on('error', () => {})
    socket.on('data', (data) => {
      for (const command of data.toString().split(/(?=\*\d+\r\n)/)) socket.write(answers(command))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  t.teardown(() => server.close())
  const fault = await faultOf(t, `redis://127.0.0.1:${(server.address() as AddressInfo).port}`)
  t.match(fault.message, /5\.0\.14/)
  t.match(fault.hint, /Redis 7 or later/)
})

t.test('a server that is away at the start is taken when it comes, and everything is told once', async (t) => {
  const port = await freePort()
  const made = newConnection(t, `redis://127.0.0.1:${port}`, { connectWithinMs: 5_000 })
  const began = performance.now()
  await made.connection.start()
  t.ok(performance.now() - began < 1_000, 'a refused connection is not waited for')
  for (let n = 0; n < 10; n += 1) t.equal(await ping(made.connection), 'away')
  t.equal(made.connection.available, false)
  const server = await startRedisServer(t, ['--port', String(port)])
  await untilAvailable(made)
  await server.kill()
  while (made.connection.available) await delay(5)
  t.equal(await ping(made.connection), 'away')
  await server.start()
  await untilAvailable(made)
  t.same(made.logger.lines.filter(({ level }) => level !== 'debug').map(({ message }) => message), [
    'Redis cannot be reached: going on without it',
    'Redis is back',
    'Redis was lost: going on without it',
    'Redis is back',
  ])
})

t.test('requests under way when the server is killed are answered, and none later waits', async (t) => {
  const server = await startRedisServer(t)
  const { connection } = await startConnection(t, server.url)
  server.signal('SIGSTOP')
  const pending = Promise.all(Array.from({ length: 50 }, () => ping(connection)))
  await server.kill()
  t.ok((await pending).every((answer) => answer === 'away' || answer === 'timeout'))
  const began = performance.now()
  await Promise.all(Array.from({ length: 50 }, () => ping(connection)))
  t.ok(performance.now() - began < 50)
})

t.test('a server that stands still delays a few requests by the timeout, and then none until it goes on', async (t) => {
  const server = await startRedisServer(t)
  const made = await startConnection(t, server.url, { timeoutMs: 100 })
  const { connection, metrics, logger } = made
  server.signal('SIGSTOP')
  const delays: number[] = []
  for (let n = 0; n < 200; n += 1) {
    const began = performance.now()
    t.not(await ping(connection), 'PONG')
    delays.push(performance.now() - began)
    await delay(10)
  }
  // Three in a row open the circuit; in the two seconds since, one at a time has tried again.
  t.ok(delays.filter((ms) => ms > 50).length <= 7, `${delays.filter((ms) => ms > 50).length} were delayed`)
  t.ok(Math.max(...delays) < 300, `one by ${Math.max(...delays)} ms`)
  server.signal('SIGCONT')
  await untilAvailable(made)
  t.equal(await ping(connection), 'PONG')
  t.match(await metrics.expose(), /chatterbot_redis_failures_total\{kind="timeout"[^}]*\} [3-9]/)
  t.ok(logger.lines.filter(({ level }) => level === 'warn').length <= 2)
})

t.test('an answer that came while this process stood still counts', async (t) => {
  const server = await startRedisServer(t)
  const { connection } = await startConnection(t, server.url, { timeoutMs: 50 })
  const answer = ping(connection)
  await new Promise(setImmediate)
  const until = performance.now() + 150
  while (performance.now() < until);
  t.equal(await answer, 'PONG')
})

t.test('what is under way has a bound, in requests and in bytes', async (t) => {
  const server = await startRedisServer(t)
  const { connection } = await startConnection(t, server.url, { timeoutMs: 5_000 })
  server.signal('SIGSTOP')
  const many = Array.from({ length: 1_100 }, () => ping(connection))
  t.same(await Promise.all(many.slice(1_000)), Array.from({ length: 100 }, () => 'crowded'))
  server.signal('SIGCONT')
  t.same(new Set(await Promise.all(many.slice(0, 1_000))), new Set(['PONG']))
  const large = Array.from({ length: 20 }, (_, n) => connection.request(1024 * 1024, (client) => client.set(`large ${n}`, Buffer.alloc(1024 * 1024))).catch((error: RedisUnavailable) => error.kind))
  t.equal((await Promise.all(large)).filter((answer) => answer === 'crowded').length, 4)
})

t.test('a server that refuses is not taken for one that is away, and told about once a minute', async (t) => {
  const server = await startRedisServer(t)
  const { connection, logger } = await startConnection(t, server.url)
  await connection.request(0, (client) => client.lpush('list', 'item'))
  for (let n = 0; n < 10; n += 1) await t.rejects(connection.request(0, (client) => client.get('list')), new RedisUnavailable('refused'))
  t.equal(await ping(connection), 'PONG')
  t.equal(logger.lines.filter(({ message }) => message === 'Redis refused a request').length, 1)
})

t.test('a memory that fills up and refuses is warned of at the start', async (t) => {
  const [filling, evicting] = [await startRedisServer(t, ['--maxmemory', '64mb']), await startRedisServer(t, ['--maxmemory', '64mb', '--maxmemory-policy', 'allkeys-lru'])]
  const warnings = async (url: string): Promise<number> => (await startConnection(t, url)).logger.lines.filter(({ level, message }) => level === 'warn' && message.includes('allkeys-lru')).length
  t.equal(await warnings(filling.url), 1)
  t.equal(await warnings(evicting.url), 0)
})

t.test('it can be stopped at any time, and twice', async (t) => {
  const server = await startRedisServer(t)
  const { connection, logger } = await startConnection(t, server.url)
  await Promise.all([connection.stop(), connection.stop()])
  t.equal(await ping(connection), 'away')
  const never = newConnection(t, `redis://127.0.0.1:${await freePort()}`)
  await never.connection.stop()
  t.same(logger.lines.filter(({ level }) => level === 'warn'), [])
})
