/** Edges and bridges that die before and after each step of a turn's life, one point after the other at each start. */
import { fileURLToPath } from 'node:url'
import { setTimeout as delay } from 'node:timers/promises'
import type { TestContext } from '../../harness/processes.ts'
import { killPointVariable, writeKillPoint, type KillPoint } from '../programs/kill-point.ts'
import { bridgeSteps, edgeSteps } from '../programs/mortal-adapters.ts'
import type { Random } from '../random.ts'
import { startOwnCluster } from '../system/own-cluster.ts'
import type { Services } from '../system/services.ts'
import type { Role, System } from '../system/system.ts'
import type { Fault } from './fault.ts'

/** A point that is not reached by then is not on the way of a turn. */
const withinMs = 150_000

export interface MortalCluster {
  readonly system: System
  /** Resolves with the points that were visited, once all were or the time is up. */
  readonly fault: Fault
  /** All there are. */
  readonly points: readonly string[]
  visited(): readonly string[]
}

/** Two edges and two bridges, of which those of `role` kill themselves at every point between them. */
export async function startMortalCluster(t: TestContext, services: Services, role: Role, random: Random, onLine: (node: string, line: string) => void): Promise<MortalCluster> {
  const points = planPoints(role, random)
  const nodes = [`${role}-1`, `${role}-2`]
  const plans = new Map(nodes.map((node, at) => [node, points.filter((_, index) => index % nodes.length === at)]))
  const visited: string[] = []
  const system = await startOwnCluster(t, services, {
    edges: 2,
    bridges: 2,
    restartAfterMs: 500,
    programs: { [role]: fileURLToPath(new URL(`../programs/${role}/main.js`, import.meta.url)) },
    env: (node, start) => {
      const point = plans.get(node)?.[start - 1]
      return point === undefined ? {} : { [killPointVariable]: point }
    },
    onLine: (node, line) => {
      const [, point] = /^killed at (\S+)$/.exec(line) ?? []
      if (point !== undefined) visited.push(point)
      onLine(node, line)
    },
  })
  const allVisited = Promise.all([...plans].map(([node, plan]) => system.started(node, plan.length + 1)))
  return {
    system,
    points,
    visited: () => visited,
    fault: { name: `${role}-points`, allowance: {}, inflict: () => Promise.race([allVisited.then(() => undefined), delay(withinMs, undefined, { ref: false })]) },
  }
}

/** Those that a fresh cluster passes come first, as later starts have less to claim. */
function planPoints(role: Role, random: Random): string[] {
  const steps = role === 'edge' ? edgeSteps : bridgeSteps
  const sides = ['before', 'after'] as const
  return steps.flatMap((step) => sides.map((side): KillPoint => ({ step, side, nth: step === 'claim' ? 1 : 1 + random.below(4) }))).map(writeKillPoint)
}
