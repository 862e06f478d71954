import { EventEmitter, once } from 'node:events'
import t from 'tap'
import { LeanSocket } from '../../load-tests/bench/testing/lean-socket.ts'
import { Talker } from '../../load-tests/bench/testing/talkers.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { startNatsServer } from '../harness/nats-server.ts'
import { startPostgres } from '../harness/postgres.ts'
import { jsonLineWith, startProcess } from '../harness/processes.ts'
import { startRedisServer } from '../harness/redis-server.ts'
import { serverCommand, startServer, type ServerReady } from './server-process.ts'

t.setTimeout(300_000)

/** What one costs is the difference that many make. */
const people = 1_500
/** Until the process has compiled what it runs, and its tables have grown. */
const warmUp = 500
const atATime = 25
const mostBytes = 4_500

t.test('who has a conversation open and says nothing costs the edge a few kilobytes of heap, connection and last turn included', async (t) => {
  const [nats, redis, postgres, engine] = await Promise.all([startNatsServer(t), startRedisServer(t), startPostgres(t), startSimulatedVllm()])
  t.teardown(() => engine.close())
  const services = { NATS_URL: nats.url, REDIS_URL: redis.url, DATABASE_URL: postgres.url(), CHATTERBOT_SOCKETS_PER_ADDRESS: '10000' }
  const heaps = new EventEmitter()
  const [ready, heap] = [jsonLineWith('ready'), jsonLineWith('heap_bytes')]
  const edge = await startProcess(t, {
    ...serverCommand('edge', { ...services, NODE_OPTIONS: `--import ${new URL('heap-on-signal.js', import.meta.url).href}` }),
    ready: (line) => {
      const found = heap(line)
      if (found !== undefined) heaps.emit('told', found['heap_bytes'])
      return ready(line) as ServerReady | undefined
    },
  })
  await startServer(t, 'bridge', { ...services, CHATTERBOT_ENGINE_URL: engine.url })

  const talkers: Talker[] = []
  t.teardown(() => {
    for (const { socket } of talkers) socket.leave()
  })
  const come = async (n: number): Promise<void> => {
    const talker = new Talker(await LeanSocket.open(edge.ready.port as number, `user-${n}`))
    talkers.push(talker)
    const id = await talker.create()
    await talker.open(id)
    await talker.talk(id, `How are you, number ${n}? [[tokens=20]]`, 20)
  }
  const until = async (count: number): Promise<number> => {
    while (talkers.length < count) await Promise.all(Array.from({ length: atATime }, (_, n) => come(talkers.length + n)))
    const told = once(heaps, 'told')
    edge.signal('SIGUSR2')
    const [bytes] = (await told) as [number]
    return bytes
  }
  const before = await until(warmUp)
  const each = ((await until(warmUp + people)) - before) / people
  t.comment(`${Math.round(each)} bytes each`)
  t.ok(each < mostBytes, `${Math.round(each)} bytes are less than ${mostBytes}`)
  t.ok(each > 500, 'they are held at all')
})
