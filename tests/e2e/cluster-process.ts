/** `npm run cluster -- --json` as a process, on a data folder of its own. */
import { chmodSync } from 'node:fs'
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClusterReport } from '../../cluster/report.ts'
import { temporaryFolder } from '../harness/guard.ts'
import { jsonLineWith, runProgram, startProcess, type RunningProcess, type TestContext } from '../harness/processes.ts'

const program = fileURLToPath(new URL('../../cluster/main.js', import.meta.url))

export interface ClusterProcess extends RunningProcess<ClusterReport> {
  readonly webSocketUrl: string
  /** Told since it was ready. */
  events(): readonly ClusterLine[]
  /** Resolves with the next of this kind and node that is not among the first `after`. */
  event(wanted: Partial<ClusterLine>, after?: number): Promise<ClusterLine>
  pidOf(name: string): number
}

export interface ClusterLine {
  readonly event: 'exited' | 'started'
  readonly role: string
  readonly node: string
  readonly pid: number
  readonly code?: number | null
  readonly signal?: string | null
  readonly metrics?: string | null
}

type Environment = Readonly<Record<string, string>>

function command(args: readonly string[], env: Environment) {
  return { command: process.execPath, args: ['--enable-source-maps', program, '--engine', 'simulated', ...args], env: { PORT: '0', CHATTERBOT_TURNS_PER_MINUTE: '1000000', CHATTERBOT_REQUESTS_PER_MINUTE: '1000000', CHATTERBOT_REQUESTS_PER_ADDRESS: '1000000', CHATTERBOT_CONCURRENT_TURNS: '1000000', ...env } }
}

export async function startCluster(t: TestContext, args: readonly string[], env: Environment = {}): Promise<ClusterProcess> {
  const found = jsonLineWith('processes')
  const running = await startProcess(undefined, { ...command(['--json', ...args], env), ready: (line) => found(line) as ClusterReport | undefined, readyWithinMs: 90_000 })
  t.teardown(() => running.stop({ deadlineMs: 30_000 }))
  const isEvent = jsonLineWith('event')
  const events = (): ClusterLine[] => running.output().split('\n').flatMap((line) => (isEvent(line) ?? []) as ClusterLine[])
  return Object.assign(running, {
    webSocketUrl: `ws://127.0.0.1:${running.ready.port}/ws`,
    events,
    async event(wanted: Partial<ClusterLine>, after = 0): Promise<ClusterLine> {
      for (;;) {
        const match = events().slice(after).find((line) => Object.entries(wanted).every(([key, value]) => line[key as keyof ClusterLine] === value))
        if (match !== undefined) return match
        await new Promise((resolve) => setTimeout(resolve, 20))
      }
    },
    pidOf(name: string): number {
      const started = events().findLast((line) => line.event === 'started' && line.node === name)
      const first = [...running.ready.processes, ...running.ready.services.map(({ name: node, pid }) => ({ node, pid }))].find(({ node }) => node === name)
      return (started ?? first)?.pid as number
    },
  })
}

/** One that is expected to end by itself. */
export function runCluster(args: readonly string[], env: Environment = {}) {
  return runProgram(command(args, env))
}

/** Removed with the test. Postgres, which does not run as root, finds its way in. */
export function clusterFolder(t: TestContext): string {
  const folder = temporaryFolder('cluster')
  chmodSync(folder.path, 0o755)
  t.teardown(() => folder.remove())
  return path.join(folder.path, 'data')
}
