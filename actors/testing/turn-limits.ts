/** An edge's turns under limits. */
import type { Test } from 'tap'
import { systemClock } from '../../platform/clock.ts'
import { MemoryLeases } from '../../platform/limits/memory/memory-leases.ts'
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import type { Leases } from '../../platform/limits/leases.ts'
import type { Limits } from '../../platform/limits/limits.ts'
import type { Plan } from '../../platform/limits/plan.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import type { PostgresServer } from '../../tests/harness/postgres.ts'
import type { ConversationService } from '../conversation-service.ts'
import { PlanWindows } from '../limits/plan-windows.ts'
import { TurnAccounts } from '../limits/turn-accounts.ts'
import { limitTurns } from '../limits/turn-limits.ts'
import { create, newWorld, type Edge } from './edges.ts'

const monotonic = (): number => systemClock.monotonic()

export interface LimitedSettings {
  readonly plan?: Partial<Plan>
  readonly plans?: Readonly<Record<string, Partial<Plan>>>
  readonly limits?: Limits
  readonly leases?: Leases
  readonly turnDeadlineMs?: number
}

/** What edges share: as in a cluster, where they have Redis in common. */
export function limitParts({ plan = {}, plans = {}, limits = new MemoryLimits({ monotonic }), leases = new MemoryLeases({ monotonic }), turnDeadlineMs = 60_000 }: LimitedSettings = {}) {
  const all = testPlans(plan, plans)
  const windows = new PlanWindows(limits)
  const accounts = new TurnAccounts(leases, windows, all)
  const refusals: string[] = []
  /** Of the turns that have ended, in order. */
  const settled: Promise<void>[] = []
  return {
    limits,
    leases,
    windows,
    refusals,
    settled: async () => void (await Promise.all(settled)),
    onTurnEnded: (turn: Parameters<TurnAccounts['ended']>[0]) => void settled.push(accounts.ended(turn)),
    door: (edge: Edge, lookUps = 600): ConversationService =>
      limitTurns(edge.runtime.service, {
        plans: all,
        windows,
        leases,
        lookUps: new MemoryLimits({ monotonic }).limit({ name: 'look-ups', points: lookUps, perSeconds: 60 }),
        store: edge.store,
        metrics: { refused: (limit) => refusals.push(limit), unshared: () => undefined },
        monotonic,
        turnDeadlineMs,
        defaultMaxTokens: 1024,
      }),
  }
}

/** One edge, one bridge, and a conversation of ann's, behind limits. */
export async function newLimitedChat(t: Test, postgres: PostgresServer, settings: LimitedSettings = {}) {
  const world = await newWorld(t, postgres)
  const parts = limitParts(settings)
  const edge = await world.edge('edge-1', { onTurnEnded: parts.onTurnEnded })
  return { ...parts, world, edge, bridge: world.bridge(), service: parts.door(edge), id: await create(edge) }
}
