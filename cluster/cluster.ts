/**
 * The cluster of one machine: services first, then edges and bridges, each a process that is started again when it dies.
 * Drained, bridges go before edges, who store what they finish; services go last.
 */
import { chmodSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Config, Environment } from '../platform/config/config.ts'
import { once } from '../platform/lifecycle/once.ts'
import type { Service } from '../platform/lifecycle/service.ts'
import { StoppedWhileStarting } from '../platform/lifecycle/service-group.ts'
import { prepareDataFolder } from '../storage/pglite/data-folder.ts'
import { probe } from '../server/listener.ts'
import { ownEngine, type EngineChoice, type OwnEngine } from './engine.ts'
import { freePorts } from './free-port.ts'
import { LogFile } from './processes/log-file.ts'
import type { ProgramOptions } from './processes/child.ts'
import { SupervisedProcess } from './processes/supervised-process.ts'
import type { ClusterEvent, ClusterReport, Role } from './report.ts'
import { chooseServices } from './services/choose-services.ts'
import type { ServiceProgram } from './services/service-program.ts'
import { Watchdog } from './watchdog/watchdog.ts'

/** The young generation of a server, half of V8's own choice: collections of it hold up for less long, at hardly more CPU time (decision 31). */
const youngMiB = 8

export interface ClusterOptions {
  readonly config: Config
  /** What every process is given, besides its own. */
  readonly environment: Environment
  readonly edges: number
  readonly bridges: number
  /** Of all edges. 0: any free one. */
  readonly port: number
  readonly engine: EngineChoice
  readonly restartAfterMs: number
  readonly dataFolder: string
  /** JavaScript files that are edges and bridges; ChatterBot's own where absent. */
  readonly programs?: { readonly edge: string; readonly bridge: string }
  readonly onEvent: (event: ClusterEvent) => void
  /** What takes long while starting. */
  readonly tell: (detail: string) => void
}

interface Member {
  readonly role: Role
  readonly process: SupervisedProcess
  /** Of an edge, a bridge or an engine. */
  readonly metrics: string | null
  readonly log: LogFile
}

/** So long may a server recover, and an edge migrate, without a word. */
const silenceMs = 120_000
/** Beyond its drain deadline, for writes that have no outcome yet. */
const serverStopMs = 20_000
const serviceStopMs = 15_000

export class Cluster implements Service {
  readonly name = 'cluster'
  readonly #options: ClusterOptions
  readonly #watchdog: Watchdog
  readonly #freePort: () => Promise<number>
  readonly #members: Member[] = []
  #services: readonly ServiceProgram[] = []
  #port = 0
  #isStopping = false

  constructor(options: ClusterOptions) {
    this.#options = options
    this.#watchdog = new Watchdog(options.dataFolder)
    this.#freePort = freePorts('127.0.0.1')
  }

  /** Resolves once everything is ready. Rejects with StartupFault, DidNotStart and StoppedWhileStarting. */
  readonly start = once(async () => {
    const { dataFolder, config, port, environment, edges } = this.#options
    prepareDataFolder(dataFolder)
    // Postgres may have to run as another user, who must get to its own folder in there.
    if (process.getuid?.() === 0) chmodSync(dataFolder, 0o711)
    await this.#watchdog.start()
    const fault = port === 0 ? null : await probe(config.HOST, port)
    if (fault !== null) throw fault
    this.#port = port === 0 ? await this.#freePort() : port

    this.#services = await chooseServices({ config, environment, dataFolder, edges, freePort: this.#freePort })
    const engine = await this.#chooseEngine()
    await this.#startAll([...this.#services.flatMap((service) => this.#serviceMember(service)), ...(engine.own === null ? [] : [this.#engineMember(engine.own)])])

    const names = (role: 'edge' | 'bridge', count: number): string[] => Array.from({ length: count }, (_, index) => `${role}-${index + 1}`)
    const servers = [
      ...names('edge', edges).map((node) => this.#serverMember('edge', node, {})),
      ...names('bridge', this.#options.bridges).map((node) => this.#serverMember('bridge', node, engine.environment)),
    ]
    await this.#startAll(await Promise.all(servers))
  })

  /** Lets the replies under way be finished, and clients go. */
  readonly drain = once(async () => {
    this.#isStopping = true
    await this.#stopAll((member) => member.role === 'bridge')
    await this.#stopAll((member) => member.role === 'edge')
  })

  readonly stop = once(async () => {
    this.#isStopping = true
    await this.#stopAll((member) => member.role === 'edge' || member.role === 'bridge')
    await this.#stopAll(() => true)
    await this.#watchdog.stop()
    for (const { log } of this.#members) log.close()
  })

  /** For when this process ends at once: the watchdog ends the services. */
  abandon(): void {
    for (const { role, process } of this.#members) if (role !== 'service') process.kill()
  }

  /** Ends edges and bridges one after the other, and waits until each is ready again. */
  async restartAll(): Promise<void> {
    for (const { role, process } of this.#members) {
      if ((role === 'edge' || role === 'bridge') && !this.#isStopping) await process.restart()
    }
  }

  /** Once started. */
  report(): ClusterReport {
    const { engine } = this.#options
    const pidOf = (name: string): number | null => this.#members.find(({ process }) => process.name === name)?.process.pid ?? null
    return {
      port: this.#port,
      processes: (['edge', 'bridge', 'engine'] as const).flatMap((wanted) =>
        this.#members.flatMap(({ role, process, metrics }) => (role === wanted ? [{ role, node: process.name, pid: process.pid, metrics }] : [])),
      ),
      services: [
        ...this.#services.map(({ name, url, program }) => ({ name, pid: program === null ? null : pidOf(name), url: withoutCredentials(url) })),
        ...(engine.kind === 'named' ? engine.urls.map((url) => ({ name: 'engine', pid: null, url: withoutCredentials(url) })) : []),
      ],
    }
  }

  /** For the environment of bridges. */
  async #chooseEngine(): Promise<{ readonly own: OwnEngine | null; readonly environment: Environment }> {
    const { engine, config, tell } = this.#options
    if (engine.kind === 'named') return { own: null, environment: { CHATTERBOT_ENGINE_URL: engine.urls.join(',') } }
    const own = ownEngine(engine.kind, await this.#freePort(), config, tell)
    return { own, environment: { CHATTERBOT_ENGINE_URL: own.url, ...(own.concurrency === null ? {} : { CHATTERBOT_ENGINE_CONCURRENCY: String(own.concurrency) }) } }
  }

  #serviceMember({ name, program, stopSignal }: ServiceProgram): Member[] {
    if (program === null) return []
    return [this.#member({ role: 'service', name, program, metrics: null, stopSignal, stopWithinMs: serviceStopMs, endsWithInput: false })]
  }

  #engineMember({ url, program }: OwnEngine): Member {
    const metrics = `${url}/metrics`
    return this.#member({ role: 'engine', name: 'engine-1', program: { ...program, env: this.#options.environment }, metrics, stopSignal: 'SIGTERM', stopWithinMs: serviceStopMs, endsWithInput: true })
  }

  async #serverMember(role: 'edge' | 'bridge', node: string, environment: Environment): Promise<Member> {
    const { config, programs } = this.#options
    const main = programs?.[role] ?? fileURLToPath(new URL(role === 'edge' ? '../server/main.js' : '../inference-bridge/main.js', import.meta.url))
    // The same at every start, so that whoever scrapes it finds it again.
    const statusPort = await this.#freePort()
    const env = {
      ...this.#options.environment,
      ...Object.fromEntries(this.#services.map(({ name, url }) => [urlNames[name], url])),
      ...environment,
      PORT: String(this.#port),
      CHATTERBOT_NODE_ID: node,
      CHATTERBOT_STATUS_PORT: String(statusPort),
      CHATTERBOT_STATUS_HOST: '127.0.0.1',
      CHATTERBOT_END_WITH_INPUT: 'true',
    }
    const isReady = (line: string): boolean => line.startsWith('{"ready":true')
    return this.#member({
      role,
      name: node,
      program: { command: process.execPath, args: ['--enable-source-maps', `--max-semi-space-size=${youngMiB}`, main], env, isReady },
      metrics: `http://127.0.0.1:${statusPort}/metrics`,
      stopSignal: 'SIGTERM',
      stopWithinMs: config.CHATTERBOT_DRAIN_SECONDS * 1000 + serverStopMs,
      endsWithInput: true,
    })
  }

  #member({ role, name, program, metrics, stopSignal, stopWithinMs, endsWithInput }: MemberOptions): Member {
    const { dataFolder, restartAfterMs, onEvent } = this.#options
    const log = new LogFile(path.join(dataFolder, 'logs'), name)
    const process = new SupervisedProcess({
      name,
      program: {
        ...program,
        silenceMs,
        onLine: (line) => log.write(line),
        onPid: (pid, isAlive) => (isAlive ? this.#watchdog.watch(pid, endsWithInput ? null : stopSignal) : this.#watchdog.forget(pid)),
      },
      restartAfterMs,
      stopSignal,
      stopWithinMs,
      onStarted: (pid) => onEvent({ event: 'started', role, node: name, pid, metrics }),
      onExited: (end) => onEvent({ event: 'exited', role, node: name, end }),
    })
    const member = { role, process, metrics, log }
    this.#members.push(member)
    return member
  }

  async #startAll(members: readonly Member[]): Promise<void> {
    if (this.#isStopping) throw new StoppedWhileStarting('the cluster stops')
    await Promise.all(members.map(({ process }) => process.start()))
  }

  async #stopAll(isMeant: (member: Member) => boolean): Promise<void> {
    await Promise.all(this.#members.filter(isMeant).map(({ process }) => process.stop()))
  }
}

interface MemberOptions {
  readonly role: Role
  readonly name: string
  readonly program: Pick<ProgramOptions, 'command' | 'args' | 'env' | 'cwd' | 'uid' | 'gid' | 'isReady'>
  readonly metrics: string | null
  readonly stopSignal: NodeJS.Signals
  readonly stopWithinMs: number
  readonly endsWithInput: boolean
}

const urlNames = { nats: 'NATS_URL', redis: 'REDIS_URL', postgres: 'DATABASE_URL' } as const

function withoutCredentials(urls: string): string {
  return urls
    .split(',')
    .map((text) => {
      const url = new URL(text)
      url.password = ''
      return url.href
    })
    .join(',')
}
