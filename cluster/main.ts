/** ChatterBot as it runs in production, on one machine: edges, bridges, NATS, Redis and Postgres, each a process. */
import path from 'node:path'
import { readConfig, type Config } from '../platform/config/config.ts'
import { endOnSignals } from '../platform/lifecycle/process-signals.ts'
import { Progress } from '../platform/lifecycle/progress.ts'
import { reportAndExit } from '../platform/lifecycle/report-fault.ts'
import { StoppedWhileStarting } from '../platform/lifecycle/service-group.ts'
import { exitCodes, StartupFault } from '../platform/lifecycle/startup-fault.ts'
import { createLogger } from '../platform/logging/logger.ts'
import { authenticationSettings } from '../server/auth/configured.ts'
import { readArguments, usage, type Arguments } from './arguments.ts'
import { Cluster } from './cluster.ts'
import type { EngineChoice } from './engine.ts'
import { DidNotStart } from './processes/supervised-process.ts'
import { jsonReporter, lastWords, wordsReporter, type ClusterReport } from './report.ts'

// Whoever read it is gone: the cluster goes on.
process.stdout.on('error', () => {})

try {
  const args = readArguments(process.argv.slice(2))
  if (args.help) process.stdout.write(`${usage}\n`)
  else await start(args)
} catch (error) {
  if (!(error instanceof StoppedWhileStarting)) reportAndExit(error)
}

async function start(args: Arguments): Promise<void> {
  // Its own name is no process's.
  const config = readConfig({ ...process.env, CHATTERBOT_NODE_ID: 'cluster' })
  refuseWhatDoesNotWork(config)
  authenticationSettings(config)
  const dataFolder = args.dataFolder === null ? defaultFolder(config) : path.resolve(args.dataFolder)
  const write = (text: string): void => void process.stdout.write(text)
  const { restartAfterMs } = args
  const reporter = args.json ? jsonReporter(write) : wordsReporter(write, { host: config.HOST, restartAfterMs, logFolder: path.join(dataFolder, 'logs') })
  const progress = new Progress(args.json ? process.stderr : process.stdout)

  let isReady = false
  let tell: (detail: string) => void = () => {}
  const cluster = new Cluster({
    config,
    environment: process.env,
    edges: args.edges,
    bridges: args.bridges,
    port: args.port ?? config.PORT,
    engine: args.engine ?? configuredEngine(config),
    restartAfterMs,
    dataFolder,
    onEvent: (event) => {
      if (isReady) reporter.event(event)
    },
    tell: (detail) => tell(detail),
  })
  const logger = createLogger({ level: 'warn', name: 'cluster', fd: 2 })
  const service = {
    name: cluster.name,
    start: () => Promise.resolve(),
    drain: () => {
      if (!args.json) progress.say('\nStopping: replies under way are finished first. Once more to end at once.')
      return cluster.drain()
    },
    stop: () => cluster.stop(),
  }
  endOnSignals(service, logger)
  process.on('SIGUSR2', () => void cluster.restartAll())
  process.on('exit', () => cluster.abandon())

  try {
    await progress.step(`Starting ${args.edges} edges, ${args.bridges} bridges and what they stand on`, (listener) => {
      tell = listener
      return cluster.start()
    })
  } catch (error) {
    await cluster.stop()
    throw error instanceof DidNotStart ? asStartupFault(error, dataFolder) : error
  }
  const report = cluster.report()
  isReady = true
  reporter.ready(report)
  if (!args.json) await sayWhatIsMissing(report, progress)
}

function configuredEngine({ CHATTERBOT_ENGINE_URL: urls }: Config): EngineChoice {
  return urls.length > 0 ? { kind: 'named', urls } : { kind: 'local' }
}

/** Root's home is closed to the user that Postgres has to run as. */
function defaultFolder(config: Config): string {
  return process.getuid?.() === 0 && !process.env['CHATTERBOT_DATA_DIR'] ? '/var/lib/chatterbot/cluster' : path.join(config.CHATTERBOT_DATA_DIR, 'cluster')
}

function refuseWhatDoesNotWork(config: Config): void {
  if (process.platform === 'win32') throw new StartupFault('The cluster needs signals and shared ports, which Windows does not have.', 'Run it in WSL, or `npm start` here.', { exitCode: exitCodes.config })
  if (config.CHATTERBOT_STATUS_PORT !== null) throw new StartupFault('CHATTERBOT_STATUS_PORT: each process of the cluster has one of its own.', 'Leave out CHATTERBOT_STATUS_PORT.', { exitCode: exitCodes.config })
}

/** In the words of the program that failed. */
function asStartupFault({ message, exit, lines }: DidNotStart, dataFolder: string): StartupFault {
  const exitCode = exit.code === exitCodes.config ? exitCodes.config : exitCodes.unavailable
  const [reason, hint = 'Mend that.'] = lastWords(lines, 12).join('\n').split('What to do: ')
  return new StartupFault(`${message}:\n\n${reason?.trimEnd()}`, `${hint.trimEnd()} All that was said is in ${path.join(dataFolder, 'logs')}`, { exitCode })
}

/** An engine may come later; until then messages wait. */
async function sayWhatIsMissing({ processes }: ClusterReport, progress: Progress): Promise<void> {
  for (const { role, node, metrics } of processes) {
    if (role !== 'bridge' || metrics === null) continue
    const answer = await fetch(new URL('/ready', metrics), { signal: AbortSignal.timeout(2_000) }).catch(() => null)
    if (answer?.status !== 503) continue
    const { missing } = (await answer.json()) as { missing: { reason: string }[] }
    progress.say(`${node} is not ready yet: ${missing.map(({ reason }) => reason).join(', ')}. Messages are taken, and wait.`)
  }
}
