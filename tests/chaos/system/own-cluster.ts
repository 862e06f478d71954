/** Edges and bridges that the suite starts itself, from any program: for those that kill themselves. */
import { fileURLToPath } from 'node:url'
import { freePort } from '../../harness/ports.ts'
import type { TestContext } from '../../harness/processes.ts'
import { Member } from './member.ts'
import type { Services } from './services.ts'
import { serverSettings, type Role, type System } from './system.ts'

export interface OwnClusterOptions {
  readonly edges: number
  readonly bridges: number
  readonly restartAfterMs: number
  /** Added to what the process of a role is given at its n-th start, from 1. */
  readonly env?: (node: string, start: number) => Readonly<Record<string, string>>
  readonly programs?: Partial<Record<Role, string>>
  readonly onLine: (node: string, line: string) => void
}

const mains: Record<Role, string> = {
  edge: fileURLToPath(new URL('../../../server/main.js', import.meta.url)),
  bridge: fileURLToPath(new URL('../../../inference-bridge/main.js', import.meta.url)),
}

export async function startOwnCluster(t: TestContext, services: Services, options: OwnClusterOptions): Promise<System> {
  const port = await freePort()
  const { env = () => ({}), programs = {}, restartAfterMs, onLine } = options
  const member = (role: Role, number: number): Member => {
    const node = `${role}-${number}`
    const own = { ...services.environment, ...serverSettings, PORT: String(port), CHATTERBOT_NODE_ID: node, CHATTERBOT_STATUS_PORT: '0', CHATTERBOT_ENGINE_URL: services.engineUrl }
    return new Member({ node, role, program: programs[role] ?? mains[role], env: (start) => ({ ...own, ...env(node, start) }), restartAfterMs, onLine: (line) => onLine(node, line) })
  }
  const members = (['edge', 'bridge'] as const).flatMap((role) => Array.from({ length: role === 'edge' ? options.edges : options.bridges }, (_, at) => member(role, at + 1)))
  const of = (node: string): Member => {
    const found = members.find((each) => each.node === node)
    if (found === undefined) throw new Error(`there is no node ${node}`)
    return found
  }
  // Bridges first: they are done with once their turns are stored.
  const stop = async (): Promise<void> => {
    await Promise.all(members.filter(({ role }) => role === 'bridge').map((each) => each.stop()))
    await Promise.all(members.map((each) => each.stop()))
  }
  t.teardown(stop)
  await Promise.all(members.map((each) => each.start()))
  return {
    port,
    nodes: (role) => members.filter((each) => each.role === role).map(({ node }) => node),
    signal: (node, signal) => of(node).signal(signal),
    starts: (node) => of(node).starts,
    started: (node, starts) => of(node).startedAgain(starts),
    metricsUrls: (role) => members.flatMap((each) => (each.role === role && each.metricsUrl !== null ? [each.metricsUrl] : [])),
    stop,
  }
}
