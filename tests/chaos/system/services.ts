/** NATS, Redis and two Postgres shards of the suite's own, each behind a proxy, and the simulated engine as a process. */
import { writeFileSync } from 'node:fs'
import path from 'node:path'
import { FaultProxy } from '../proxy/fault-proxy.ts'
import { temporaryFolder } from '../../harness/guard.ts'
import { freePort } from '../../harness/ports.ts'
import { startNatsServer, type NatsServer } from '../../harness/nats-server.ts'
import { startPostgres, type PostgresServer } from '../../harness/postgres.ts'
import type { TestContext } from '../../harness/processes.ts'
import { startRedisServer, type RedisServer } from '../../harness/redis-server.ts'
import { EngineProcess } from './engine-process.ts'

export interface Services {
  readonly nats: NatsServer
  /** Of nats-server's monitoring. */
  readonly natsMonitor: string
  readonly redis: RedisServer
  readonly postgres: PostgresServer
  /** Past the proxy, for the checker. */
  readonly databases: readonly string[]
  readonly engine: EngineProcess
  readonly proxies: { readonly nats: FaultProxy; readonly redis: FaultProxy; readonly postgres: FaultProxy; readonly engine: FaultProxy }
  /** For the processes under test. */
  readonly environment: Readonly<Record<string, string>>
  readonly engineUrl: string
}

/** Of JetStream: room for all the jobs there ever are, and soon filled by something else. */
const jetStreamBytes = 32_000_000

export async function startServices(t: TestContext): Promise<Services> {
  const monitorPort = await freePort()
  const folder = temporaryFolder('chaos')
  t.teardown(() => folder.remove())
  const natsConfig = path.join(folder.path, 'nats.conf')
  writeFileSync(natsConfig, `jetstream { max_file_store: ${jetStreamBytes}, max_memory_store: ${jetStreamBytes} }\nhttp: "127.0.0.1:${monitorPort}"\n`)
  const [nats, redis, postgres, engine] = await Promise.all([startNatsServer(t, ['-c', natsConfig]), startRedisServer(t), startPostgres(t), EngineProcess.start(t)])
  const databases = [await postgres.createDatabase('shard_0'), await postgres.createDatabase('shard_1')]
  const behindProxy = async (port: number): Promise<FaultProxy> => {
    const proxy = await FaultProxy.start(() => port)
    t.teardown(() => proxy.stop())
    return proxy
  }
  const proxies = { nats: await behindProxy(nats.port), redis: await behindProxy(redis.port), postgres: await behindProxy(postgres.port), engine: await behindProxy(engine.port) }
  return {
    nats,
    natsMonitor: `http://127.0.0.1:${monitorPort}`,
    redis,
    postgres,
    databases,
    engine,
    proxies,
    engineUrl: `http://127.0.0.1:${proxies.engine.port}`,
    environment: {
      NATS_URL: `nats://127.0.0.1:${proxies.nats.port}`,
      REDIS_URL: `redis://127.0.0.1:${proxies.redis.port}`,
      DATABASE_URL: databases.map((url) => at(url, proxies.postgres.port)).join(','),
    },
  }
}

function at(url: string, port: number): string {
  const moved = new URL(url)
  moved.port = String(port)
  return moved.href
}
