/** Connections to a real Redis, for tests. */
import type { TestContext } from '../../../tests/harness/processes.ts'
import { systemClock } from '../../clock.ts'
import { recordedLogger } from '../../logging/testing/recorded-logger.ts'
import { createMetrics, type Metrics } from '../../metrics/metrics.ts'
import { RedisConnection, type RedisConnectionOptions } from '../redis-connection.ts'

export interface TestConnection {
  readonly connection: RedisConnection
  readonly logger: ReturnType<typeof recordedLogger>
  readonly metrics: Metrics
}

/** Not started; stopped with the test. */
export function newConnection(t: TestContext, url: string, options: Partial<RedisConnectionOptions> = {}): TestConnection {
  const logger = recordedLogger()
  const metrics = createMetrics({ role: 'test', node: 'test' })
  const connection = new RedisConnection({ url, name: 'test', logger, clock: systemClock, metrics, ...options })
  t.teardown(() => connection.stop())
  return { connection, logger, metrics }
}

export async function startConnection(t: TestContext, url: string, options: Partial<RedisConnectionOptions> = {}): Promise<TestConnection> {
  const made = newConnection(t, url, options)
  await made.connection.start()
  return made
}

/** Tries until Redis is used again: nothing else tells that it is back. */
export async function untilAvailable({ connection }: TestConnection): Promise<void> {
  while (!(await connection.request(0, (client) => client.ping()).then(() => true, () => false))) await new Promise((resolve) => setTimeout(resolve, 20))
}
