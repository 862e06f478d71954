/** An inference bridge as a process of its own. */
import type { Channel } from '../platform/bus/channel.ts'
import type { JobQueue } from '../platform/bus/job-queue.ts'
import { NatsBus } from '../platform/bus/nats/nats-bus.ts'
import { systemClock } from '../platform/clock.ts'
import type { Config } from '../platform/config/config.ts'
import type { OptionName } from '../platform/config/options.ts'
import type { ServerProcess } from '../platform/lifecycle/server-process.ts'
import { createCachesAndLimits } from '../platform/redis/caches-and-limits.ts'
import { configuredTracer } from '../platform/tracing/configured-tracer.ts'
import { createBridge } from './bridge.ts'
import { chooseEngines } from './engines.ts'
import { configuredDefaults, configuredResults } from './settings.ts'

/** Without it there is nobody to write for. */
export const bridgeRequires: readonly OptionName[] = ['NATS_URL']

export interface BridgeAdapters {
  readonly channel: Channel
  readonly jobQueue: JobQueue
}

/** Resolves once it takes jobs, or would if an engine answered. `adapt` may put something between the bridge and the bus. */
export async function startBridgeProcess(config: Config, server: ServerProcess, adapt = (adapters: BridgeAdapters): BridgeAdapters => adapters): Promise<void> {
  const { node, logger, metrics, parts, readiness } = server

  const tracer = await configuredTracer(config, 'bridge', parts)
  const engines = chooseEngines(config, logger)
  const endpoints = engines.start((detail) => logger.info({ detail }, 'starting the local engine'))
  // Looked at below, when its turn comes.
  endpoints.catch(() => {})
  const bus = await parts.add(new NatsBus({ urls: config.NATS_URL, name: `chatterbot ${node}`, logger, replicas: config.CHATTERBOT_JOB_REPLICAS }))
  const { channel } = bus
  const { connection, cache } = createCachesAndLimits({ redisUrl: config.REDIS_URL, node, logger, clock: systemClock, metrics })
  if (connection !== null) await parts.add(connection)
  const reachable = await endpoints
  if (engines.service !== null) await parts.add(engines.service)

  const bridge = createBridge({
    name: node,
    ...adapt({ channel, jobQueue: bus.jobQueue }),
    engines: reachable,
    concurrency: engines.concurrency,
    logger,
    metrics,
    clock: systemClock,
    defaults: configuredDefaults(config),
    results: configuredResults(config, cache('result')),
    tracer,
  })
  readiness.push(
    { name: 'bus', missing: () => (channel.status === 'connected' ? null : 'NATS does not answer') },
    { name: 'engine', missing: () => engines.missing() ?? (bridge.ready ? null : 'no engine answers') },
  )
  await parts.add(bridge)
  server.sayReady({})
}
