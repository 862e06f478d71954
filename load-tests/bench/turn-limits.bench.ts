/**
 * What limits cost a turn at the client's edge, on a Redis of its own: time until it may go on, and CPU. The service
 * behind the door accepts at once.
 */
import { randomUUID } from 'node:crypto'
import { createMetrics } from '../../platform/metrics/metrics.ts'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { MemoryLimits } from '../../platform/limits/memory/memory-limits.ts'
import { MemoryLeases } from '../../platform/limits/memory/memory-leases.ts'
import { RedisLeases } from '../../platform/limits/redis/redis-leases.ts'
import { RedisLimits } from '../../platform/limits/redis/redis-limits.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import type { Plan } from '../../platform/limits/plan.ts'
import { RedisConnection } from '../../platform/redis/redis-connection.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import { PlanWindows } from '../../actors/limits/plan-windows.ts'
import { TurnAccounts } from '../../actors/limits/turn-accounts.ts'
import { limitTurns } from '../../actors/limits/turn-limits.ts'
import { startRedisServer } from '../../tests/harness/redis-server.ts'
import { compare } from './compare.ts'
import { percentile } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'

const monotonic = (): number => performance.now()
const users = 100
const turns = 1_000
const many = 1_000_000_000

const unlimited: Partial<Plan> = {}
const ordinary: Partial<Plan> = { turns_per_minute: many, concurrent_turns: many }
const everything: Partial<Plan> = { ...ordinary, tokens_in_per_minute: many, tokens_in_per_day: many, tokens_out_per_minute: many, tokens_out_per_day: many }

interface Places {
  readonly limits: RedisLimits | MemoryLimits
  readonly leases: RedisLeases | MemoryLeases
}

/** A turn from its send to its end, as far as limits go; resolves with the milliseconds that its send waited. */
function turnsUnder(plan: Partial<Plan>, { limits, leases }: Places): (user: number) => Promise<number> {
  const plans = testPlans(plan)
  const windows = new PlanWindows(limits)
  const accounts = new TurnAccounts(leases, windows, plans)
  const accepting = { send: () => Promise.resolve({ duplicate: false }) } as unknown as ConversationService
  const door = limitTurns(accepting, {
    plans,
    windows,
    leases,
    lookUps: new MemoryLimits({ monotonic }).limit({ name: 'look-ups', points: many, perSeconds: 60 }),
    store: { acceptedTurn: () => Promise.resolve(null) },
    metrics: { refused: () => undefined, unshared: () => undefined },
    monotonic,
    turnDeadlineMs: 600_000,
    defaultMaxTokens: 1024,
  })
  return async (user) => {
    const [userId, key] = [`user ${user}`, randomUUID()]
    const began = performance.now()
    await door.send(userId, { type: 'message.send', conversation_id: user + 1, client_message_id: key, text: 'Why is the sky blue?' })
    const waited = performance.now() - began
    await accounts.ended({ userId, conversationId: user + 1, clientMessageId: key, usage: { prompt_tokens: 40, completion_tokens: 200 }, tokens: 200, cached: false })
    return waited
  }
}

/** With milliseconds that a send waited, beside the CPU. */
async function measure(shared: Places, atOnce: number, rounds: number): Promise<Table> {
  const alone: Places = { limits: new MemoryLimits({ monotonic }), leases: new MemoryLeases({ monotonic }) }
  const waits = new Map<string, { readonly p50: number; readonly p99: number }[]>()
  const under = (name: string, plan: Partial<Plan>, places: Places) => {
    const turn = turnsUnder(plan, places)
    return {
      name,
      run: async () => {
        const ms: number[] = []
        for (let n = 0; n < turns; n += atOnce) ms.push(...(await Promise.all(Array.from({ length: atOnce }, (_, user) => turn(user)))))
        waits.set(name, [...(waits.get(name) ?? []), { p50: percentile(ms, 0.5), p99: percentile(ms, 0.99) }])
      },
    }
  }
  const table = await compare({
    title: `${atOnce} ${atOnce === 1 ? 'turn' : 'turns'} at once`,
    unit: 'turn',
    operations: turns,
    rounds,
    cases: [
      under('every limit of a plan, in Redis', everything, shared),
      under('the default plan, in Redis', ordinary, shared),
      under('every limit, in memory', everything, alone),
      under('no limit, in memory', unlimited, alone),
    ],
  })
  return {
    ...table,
    contestants: table.contestants.map((each) => {
      // The first round did not count.
      const counted = waits.get(each.name)?.slice(1) ?? []
      return { ...each, figures: [...each.figures, { name: 'a send waits, p50', unit: 'ms', samples: counted.map(({ p50 }) => p50) }, { name: 'p99', unit: 'ms', samples: counted.map(({ p99 }) => p99) }] }
    }),
  }
}

await runBenchmark({
  name: 'turn-limits',
  title: 'Limits of a turn',
  question: "What do a plan's limits cost a turn, in time and in CPU?",
  options: { rounds: { default: 5, quick: 2, help: `of ${turns} turns` } },
  run: async ({ rounds }) => {
    const ends: (() => unknown)[] = []
    const redis = await startRedisServer({ teardown: (end: () => unknown) => ends.push(end) })
    const connection = new RedisConnection({ url: redis.url, name: 'bench', logger: createLogger({ level: 'silent', name: 'bench' }), clock: systemClock, metrics: createMetrics({ role: 'bench', node: 'bench' }), timeoutMs: 5_000 })
    try {
      await connection.start()
      const shared: Places = { limits: new RedisLimits(connection, { monotonic }), leases: new RedisLeases(connection) }
      return { tables: [await measure(shared, 1, rounds), await measure(shared, users, rounds)] }
    } finally {
      await connection.stop()
      for (const end of ends.toReversed()) await end()
    }
  },
})
