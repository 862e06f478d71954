/** What edges and bridges have in common as processes: a log, metrics, a port that tells of them, and an end. */
import v8 from 'node:v8'
import type { Config } from '../config/config.ts'
import { createLogger, type LogLevel, type LogSink } from '../logging/logger.ts'
import { createMetrics, type Metrics } from '../metrics/metrics.ts'
import { StatusServer } from '../status/status-server.ts'
import type { ReadinessPart } from '../status/status.ts'
import { endOnSignals, endWithInput } from './process-signals.ts'
import { reportAndExit } from './report-fault.ts'
import { ServiceGroup, StoppedWhileStarting } from './service-group.ts'

export interface ServerProcess {
  readonly node: string
  readonly logger: LogSink
  readonly metrics: Metrics
  /** Drained and stopped, in reverse, when the process is told to end. */
  readonly parts: ServiceGroup
  /** What `/ready` asks; to be added to. */
  readonly readiness: ReadinessPart[]
  /** For programs that start this one: a line of JSON on standard output, where that is no terminal. */
  sayReady(fields: Readonly<Record<string, unknown>>): void
}

/** Each part; the database waits longest, for writes that have no outcome yet. */
const stopDeadlineMs = 15_000

/** Runs `start` as the whole of a program: a fault of the start ends it, told in words. */
export async function runServerProcess(role: 'edge' | 'bridge', readConfig: () => Config, start: (config: Config, server: ServerProcess) => Promise<void>): Promise<void> {
  // A collection that others help with waits until the last of them has had a core, where cores have more to do than this.
  v8.setFlagsFromString('--no-parallel-scavenge')
  let logger: LogSink | null = null
  try {
    const config = readConfig()
    logger = createLogger({ level: config.LOG_LEVEL as LogLevel, name: role, fd: 2 })
    await start(config, await open(role, config, logger))
  } catch (error) {
    logger?.flush()
    if (!(error instanceof StoppedWhileStarting)) reportAndExit(error)
  }
}

async function open(role: string, config: Config, logger: LogSink): Promise<ServerProcess> {
  const node = config.CHATTERBOT_NODE_ID
  const metrics = createMetrics({ role, node })
  const parts = new ServiceGroup({ logger, drainDeadlineMs: config.CHATTERBOT_DRAIN_SECONDS * 1000 + 1000, stopDeadlineMs })
  let phase: 'starting' | 'running' | 'about to stop' = 'starting'
  const ending = {
    name: role,
    start: () => Promise.resolve(),
    drain: () => {
      phase = 'about to stop'
      return parts.drain()
    },
    stop: () => parts.stop(),
  }
  endOnSignals(ending, logger)
  if (config.CHATTERBOT_END_WITH_INPUT) endWithInput(ending, logger)

  const readiness: ReadinessPart[] = [{ name: 'process', missing: () => (phase === 'running' ? null : phase) }]
  const { CHATTERBOT_STATUS_HOST: host, CHATTERBOT_STATUS_PORT: port } = config
  // First, so that it answers while the others start, and is stopped last.
  const status = port === null ? null : await parts.add(new StatusServer({ host, port, node, readiness, metrics, logger }))
  return {
    node,
    logger,
    metrics,
    parts,
    readiness,
    sayReady: (fields) => {
      if (phase === 'starting') phase = 'running'
      const told = { ready: true, role, node, ...fields, status_port: status?.port ?? null }
      logger.info(told, 'ready')
      if (!process.stdout.isTTY) process.stdout.write(`${JSON.stringify(told)}\n`)
    },
  }
}
