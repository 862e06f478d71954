/** ChatterBot in one process: edge and bridge, a bus in memory, an embedded database and a small model beside it. */
import { randomUUID } from 'node:crypto'
import { MemoryBus } from '../platform/bus/memory/memory-bus.ts'
import { systemClock } from '../platform/clock.ts'
import { readConfig, type Config } from '../platform/config/config.ts'
import { endOnSignals } from '../platform/lifecycle/process-signals.ts'
import { Progress } from '../platform/lifecycle/progress.ts'
import { reportAndExit } from '../platform/lifecycle/report-fault.ts'
import { ServiceGroup, StoppedWhileStarting } from '../platform/lifecycle/service-group.ts'
import { exitCodes, StartupFault } from '../platform/lifecycle/startup-fault.ts'
import { createLogger, type LogLevel, type LogSink } from '../platform/logging/logger.ts'
import { createMetrics } from '../platform/metrics/metrics.ts'
import { createCachesAndLimits } from '../platform/redis/caches-and-limits.ts'
import { configuredTracer } from '../platform/tracing/configured-tracer.ts'
import { EmbeddedPostgres } from '../storage/pglite/supervisor.ts'
import { evenShards, type ShardConfig } from '../storage/postgres/shard-map.ts'
import { asStartupFault } from '../storage/postgres/startup-fault.ts'
import { createPostgresStorage } from '../storage/postgres/storage.ts'
import { createBridge, type Bridge } from '../inference-bridge/bridge.ts'
import { chooseEngines } from '../inference-bridge/engines.ts'
import { configuredDefaults, configuredResults } from '../inference-bridge/settings.ts'
import { assembleEdge } from '../server/assemble-edge.ts'
import { authenticationSettings, type AuthenticationSettings } from '../server/auth/configured.ts'
import { displayHost } from '../server/listener.ts'

/** The database closes its files within 10 s, or is killed. */
const stopDeadlineMs = 15_000

const progress = new Progress(process.stdout)

try {
  await start(readConfig(process.env))
} catch (error) {
  if (!(error instanceof StoppedWhileStarting)) reportAndExit(error)
}

async function start(config: Config): Promise<void> {
  refuseWhatIsNotHere(config)
  const authentication = authenticationSettings(config)
  // A terminal shows the progress of the start, and of the log only what its reader should act on.
  const level: LogLevel = process.stderr.isTTY && !process.env['LOG_LEVEL'] ? 'warn' : (config.LOG_LEVEL as LogLevel)
  const logger = createLogger({ level, name: 'standalone', fd: 2 })
  try {
    await startParts(config, authentication, logger)
  } catch (error) {
    logger.flush()
    throw error
  }
}

async function startParts(config: Config, authentication: AuthenticationSettings, logger: LogSink): Promise<void> {
  const node = config.CHATTERBOT_NODE_ID
  const clock = systemClock
  const metrics = createMetrics({ role: 'standalone', node })
  const drainDeadlineMs = config.CHATTERBOT_DRAIN_SECONDS * 1000
  const parts = new ServiceGroup({ logger, drainDeadlineMs: drainDeadlineMs + 1000, stopDeadlineMs })
  endOnSignals(
    {
      name: 'standalone',
      start: () => Promise.resolve(),
      drain: () => {
        progress.say('\nStopping: replies under way are finished first. Once more to end at once.')
        return parts.drain()
      },
      stop: () => parts.stop(),
    },
    logger,
  )

  const tracer = await configuredTracer(config, 'standalone', parts)

  // The model is loaded while the database starts: each takes a second or two of one core.
  const engines = chooseEngines(config, logger)
  const enginesBegan = performance.now()
  let tellEngine: (detail: string) => void = () => {}
  const endpoints = engines.start((detail) => tellEngine(detail))
  // Looked at below, when its turn comes.
  endpoints.catch(() => {})

  const shards = await startDatabase(config, parts, logger)
  const storage = createPostgresStorage({ shards, node, bootId: randomUUID(), logger, clock })
  await progress.step('Preparing the database', () => parts.add(storage)).catch((error: unknown) => {
    throw asStartupFault(error)
  })
  const bus = new MemoryBus({ onHandlerError: (error, subject) => logger.error({ err: error, subject }, 'a bus handler failed') })
  const shared = createCachesAndLimits({ redisUrl: null, node, logger, clock, metrics })
  let engineAnswers = (): boolean => false
  const edge = await assembleEdge({
    config,
    authentication,
    adapters: { store: storage.store, channel: bus.channel(), jobQueue: bus.jobQueue(), deadLetters: bus.deadLetters() },
    storage,
    shared,
    sharesPort: false,
    readiness: [
      { name: 'database', missing: () => (storage.liveness.lapsed.length === 0 ? null : 'the database does not answer') },
      { name: 'engine', missing: () => engines.missing() ?? (engineAnswers() ? null : 'no engine answers') },
    ],
    parts,
    metrics,
    tracer,
    logger,
    clock,
  })
  const url = `http://${displayHost(config.HOST)}:${edge.port}`
  progress.say(`Listening on ${url}`)

  const reachable = await (engines.service === null
    ? endpoints
    : progress.step(
        'Starting the model',
        (tell) => {
          tellEngine = tell
          return endpoints
        },
        enginesBegan,
      ))
  if (engines.service !== null) await parts.add(engines.service)
  const bridge = createBridge({
    name: node,
    channel: bus.channel(),
    jobQueue: bus.jobQueue(),
    engines: reachable,
    concurrency: engines.concurrency,
    logger,
    metrics,
    clock,
    defaults: configuredDefaults(config),
    results: configuredResults(config, shared.cache('result')),
    tracer,
  })
  engineAnswers = () => bridge.ready
  await progress.step('Asking the engine', () => parts.add(drainedTogether(bridge, () => edge.drain())))
  if (!bridge.ready) {
    progress.say(`No engine answers at ${config.CHATTERBOT_ENGINE_URL.join(', ')} yet. It is asked again and again.`)
    await untilReady(bridge)
  }
  sayReady(url, edge.port)
}

/** NATS and Redis are for several processes. */
function refuseWhatIsNotHere(config: Config): void {
  const named = [...(config.NATS_URL.length > 0 ? ['NATS_URL'] : []), ...(config.REDIS_URL === null ? [] : ['REDIS_URL'])]
  if (named.length === 0) return
  throw new StartupFault(`${named.join(' and ')}: this process keeps its bus and its caches in its own memory.`, `Leave out ${named.join(' and ')}.`, { exitCode: exitCodes.config })
}

async function startDatabase(config: Config, parts: ServiceGroup, logger: LogSink): Promise<ShardConfig[]> {
  if (config.DATABASE_URL.length > 0) return evenShards(config.DATABASE_URL)
  const database = new EmbeddedPostgres({ dataFolder: config.CHATTERBOT_DATA_DIR, logger })
  await progress.step('Starting the database', () => parts.add(database))
  return evenShards([database.url], { embedded: true })
}

/** Clients are sent away while the replies under way are finished, so that both together keep the one deadline. */
function drainedTogether(bridge: Bridge, drainClients: () => Promise<void>) {
  return {
    name: bridge.name,
    start: () => bridge.start(),
    drain: async () => {
      await Promise.all([bridge.drain(), drainClients()])
    },
    stop: () => bridge.stop(),
  }
}

function untilReady(bridge: Bridge): Promise<void> {
  return new Promise((resolve) => {
    const stop = bridge.onReadyChange((ready) => {
      if (!ready) return
      stop()
      resolve()
    })
  })
}

function sayReady(url: string, port: number): void {
  progress.say(`\nChatterBot is ready: ${url}\n`)
  // For programs that start this one.
  if (!process.stdout.isTTY) progress.say(JSON.stringify({ ready: true, url, port }))
}
