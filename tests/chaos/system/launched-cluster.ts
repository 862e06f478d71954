/** `npm run cluster` on the suite's services: what is killed it starts again. */
import path from 'node:path'
import { fileURLToPath } from 'node:url'
import type { ClusterReport } from '../../../cluster/report.ts'
import { jsonLineWith, startProcess, type TestContext } from '../../harness/processes.ts'
import type { Services } from './services.ts'
import { serverSettings, type Role, type System } from './system.ts'

export interface LaunchedClusterOptions {
  readonly edges: number
  readonly bridges: number
  readonly restartAfterMs: number
  /** For logs. */
  readonly folder: string
}

const program = fileURLToPath(new URL('../../../cluster/main.js', import.meta.url))

interface Node {
  readonly role: string
  readonly metrics: string | null
  /** Null while it is down. */
  pid: number | null
  starts: number
}

export async function launchCluster(t: TestContext, services: Services, { edges, bridges, restartAfterMs, folder }: LaunchedClusterOptions): Promise<System> {
  const nodes = new Map<string, Node>()
  let waiting: (() => void)[] = []
  const isReport = jsonLineWith('processes')
  const isEvent = jsonLineWith('event')

  const take = (line: string): ClusterReport | undefined => {
    const report = isReport(line) as ClusterReport | undefined
    for (const { role, node, pid, metrics } of report?.processes ?? []) nodes.set(node, { role, metrics, pid, starts: 1 })
    const event = isEvent(line)
    const node = nodes.get(String(event?.['node']))
    if (node === undefined) return report
    const pid = Number(event?.['pid'])
    if (event?.['event'] === 'started') {
      node.pid = pid
      node.starts += 1
    } else if (node.pid === pid) {
      node.pid = null
    }
    const wakeAll = waiting
    waiting = []
    for (const wake of wakeAll) wake()
    return report
  }

  const args = ['--json', '--edges', String(edges), '--bridges', String(bridges), '--port', '0', '--engine', services.engineUrl, '--restart-after', `${restartAfterMs}ms`, '--data-dir', path.join(folder, 'cluster')]
  const cluster = await startProcess(undefined, { command: process.execPath, args: ['--enable-source-maps', program, ...args], env: { ...services.environment, ...serverSettings }, ready: take, readyWithinMs: 90_000 })
  const of = (name: string): Node => {
    const node = nodes.get(name)
    if (node === undefined) throw new Error(`there is no node ${name}`)
    return node
  }
  const named = (role: Role): [string, Node][] => [...nodes].filter(([, node]) => node.role === role)
  const signal = (name: string, what: NodeJS.Signals): void => {
    const { pid } = of(name)
    try {
      if (pid !== null) process.kill(pid, what)
    } catch {
      // It is about to be told that it ended.
    }
  }
  const stop = async (): Promise<void> => {
    for (const name of nodes.keys()) signal(name, 'SIGCONT')
    await cluster.stop({ deadlineMs: 60_000 })
  }
  t.teardown(stop)
  return {
    port: cluster.ready.port,
    nodes: (role) => named(role).map(([name]) => name),
    signal,
    starts: (name) => of(name).starts,
    started: async (name, starts) => {
      const node = of(name)
      while (node.pid === null || node.starts < starts) await new Promise<void>((resolve) => waiting.push(resolve))
    },
    metricsUrls: (role) => named(role).flatMap(([, { pid, metrics }]) => (pid !== null && metrics !== null ? [metrics] : [])),
    stop,
  }
}
