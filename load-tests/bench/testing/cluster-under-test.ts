/**
 * What benchmarks measure: simulated engine, NATS, Redis, Postgres with two shards, edges and bridges, each a process of
 * its own as `npm run cluster` starts them, and CPU time of each.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { pathToFileURL } from 'node:url'
import type { ClusterReport } from '../../../cluster/report.ts'
import { jsonLineWith, startProcess } from '../../../tests/harness/processes.ts'
import { repositoryRoot } from '../../../tests/harness/repository.ts'
import { cpuSeconds } from '../cpu-time.ts'

export interface ClusterOptions {
  readonly edges: number
  readonly bridges: number
  /** Of the engine; 0: as fast as it can. */
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  readonly replyTokens: number
  /** A killed process is not started again before. */
  readonly restartAfter?: string
  /** Of databases that are there already, a shard each; without, it has a Postgres of its own. */
  readonly databaseUrls?: readonly string[]
  /** Folder for profiles of all processes; without a name, none are made. */
  readonly profiles?: string
  /** Folder for profiles of what is between two SIGUSR2 that a process is sent. */
  readonly profilesOnSignal?: string
  /** Of edges and bridges, besides what all benchmarks set. */
  readonly env?: Readonly<Record<string, string>>
  /** Folder for the pauses of all processes, to be read by `readPauses` once they have ended; without a name, none are noted. */
  readonly pauses?: string
  /** Each process collects its garbage when it is sent SIGUSR2. */
  readonly collectsOnSignal?: true
}

/** CPU seconds by process, this one (the load) and the engine included. */
export type CpuTimes = ReadonlyMap<string, number>

export interface ClusterUnderTest {
  readonly port: number
  readonly enginePort: number
  readonly engineUrl: string
  readonly report: ClusterReport
  /** Of an edge or a bridge, the one that runs now or ran last; undefined where there is none of that name. */
  pidOf(node: string): number | undefined
  cpu(): CpuTimes
  /** Of the cluster alone: neither load nor engine. */
  serversCpu(): CpuTimes
  stop(): Promise<void>
}

const slots = '4096'
const program = (...parts: string[]): string => path.join(repositoryRoot(), 'dist', ...parts)

/** The option that preloads a file beside this one. */
function preload(file: string, asked: Readonly<Record<string, string>> = {}): string[] {
  const address = pathToFileURL(program('load-tests', 'bench', 'testing', file))
  for (const [name, value] of Object.entries(asked)) address.searchParams.set(name, value)
  return ['--import', address.href]
}

/** The same, and names it a folder; none where that has no name. */
function preloadFor(folder: string | undefined, file: string, asked: Readonly<Record<string, string>> = {}): string[] {
  return folder ? preload(file, { folder: path.resolve(folder), ...asked }) : []
}

export async function startCluster(options: ClusterOptions): Promise<ClusterUnderTest> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chatterbot-bench-'))
  // Postgres does not run as root, and has to get in.
  chmodSync(folder, 0o711)
  const nodeOptions = [
    ...preloadFor(options.profiles, 'profile.js'),
    ...preloadFor(options.profilesOnSignal, 'profile.js', { on: 'signal' }),
    ...preloadFor(options.pauses, 'pauses.js'),
    ...(options.collectsOnSignal ? preload('collect.js') : []),
  ]
  const engine = await startProcess(undefined, {
    command: process.execPath,
    args: [program('load-tests', 'simulated-vllm', 'main.js'), '--tokens-per-second', String(options.tokensPerSecond), '--first-token-ms', String(options.firstTokenMs), '--max-num-seqs', slots, '--reply-tokens', String(options.replyTokens)],
    ready: jsonLineWith('ready'),
  })
  const enginePort = Number(engine.ready['port'])
  const engineUrl = `http://127.0.0.1:${enginePort}`
  const cluster = await startProcess(undefined, {
    command: process.execPath,
    args: [
      program('cluster', 'main.js'), '--json', '--port', '0', '--data-dir', path.join(folder, 'data'), '--engine', engineUrl,
      '--edges', String(options.edges), '--bridges', String(options.bridges), '--restart-after', options.restartAfter ?? '2s',
    ],
    env: {
      ...(nodeOptions.length === 0 ? {} : { NODE_OPTIONS: nodeOptions.join(' ') }),
      LOG_LEVEL: 'warn',
      CHATTERBOT_ENGINE_CONCURRENCY: slots,
      CHATTERBOT_SOCKETS_PER_ADDRESS: '100000',
      CHATTERBOT_TURNS_PER_MINUTE: '1000000',
      CHATTERBOT_CONCURRENT_TURNS: '1000000',
      CHATTERBOT_REQUESTS_PER_MINUTE: '10000000',
      CHATTERBOT_REQUESTS_PER_ADDRESS: '10000000',
      CHATTERBOT_FRAMES_PER_SECOND: '100000',
      ...(options.databaseUrls === undefined ? {} : { DATABASE_URL: options.databaseUrls.join(',') }),
      ...options.env,
    },
    ready: jsonLineWith('processes'),
    readyWithinMs: 120_000,
  }).catch(async (error: unknown) => {
    await engine.stop()
    rmSync(folder, { recursive: true, force: true })
    throw error
  })
  const report = cluster.ready as unknown as ClusterReport
  const pids = new Map<string, number>([['load client', process.pid], ['engine', engine.pid]])
  for (const { node, pid } of report.processes) if (pid !== null) pids.set(node, pid)
  for (const { name, pid } of report.services) if (pid !== null) pids.set(name, pid)
  const eventOf = jsonLineWith('event')
  const heedRestarts = (): void => {
    for (const line of cluster.output().split('\n')) {
      const event = eventOf(line)
      if (event?.['event'] === 'started') pids.set(String(event['node']), Number(event['pid']))
    }
  }
  const cpu = (): CpuTimes =>
    new Map([...pids].flatMap(([name, pid]) => {
      try {
        return [[name, name === 'load client' ? ownSeconds() : cpuSeconds(pid)] as const]
      } catch {
        // It was killed.
        return []
      }
    }))
  return {
    port: report.port,
    enginePort,
    engineUrl,
    report,
    pidOf: (node) => {
      heedRestarts()
      return pids.get(node)
    },
    cpu,
    serversCpu: () => new Map([...cpu()].filter(([name]) => name !== 'load client' && name !== 'engine')),
    stop: async () => {
      await cluster.stop({ deadlineMs: 60_000 })
      await engine.stop()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

/** This process's children are the servers. */
function ownSeconds(): number {
  const { user, system } = process.cpuUsage()
  return (user + system) / 1e6
}

/** Of all processes together. */
export function total(times: CpuTimes): number {
  return [...times.values()].reduce((sum, each) => sum + each, 0)
}

/** CPU seconds spent since. */
export function since(before: CpuTimes, after: CpuTimes): CpuTimes {
  return new Map([...after].map(([name, seconds]) => [name, seconds - (before.get(name) ?? 0)]))
}
