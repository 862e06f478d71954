/**
 * What limits cost a turn at the client's edge, on a Redis of its own: time until it may go on, and CPU. The service
 * behind the door accepts at once.
 *
 *     npm run build && node dist/load-tests/bench/turn-limits.bench.js
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
import { percentile, report } from './measure.ts'

const monotonic = (): number => performance.now()
const users = 100
const turns = 1_000
const many = 1_000_000_000

const unlimited: Partial<Plan> = {}
const ordinary: Partial<Plan> = { turns_per_minute: many, concurrent_turns: many }
const everything: Partial<Plan> = { ...ordinary, tokens_in_per_minute: many, tokens_in_per_day: many, tokens_out_per_minute: many, tokens_out_per_day: many }

const teardowns: (() => unknown)[] = []
const redis = await startRedisServer({ teardown: (handler: () => unknown) => teardowns.push(handler) })
const connection = new RedisConnection({ url: redis.url, name: 'bench', logger: createLogger({ level: 'silent', name: 'bench' }), clock: systemClock, metrics: createMetrics({ role: 'bench', node: 'bench' }), timeoutMs: 5_000 })
await connection.start()
const shared = { limits: new RedisLimits(connection, { monotonic }), leases: new RedisLeases(connection) }
const alone = { limits: new MemoryLimits({ monotonic }), leases: new MemoryLeases({ monotonic }) }

/** A turn from its send to its end, as far as limits go; resolves with the milliseconds that its send waited. */
function turnsUnder(plan: Partial<Plan>, { limits, leases }: typeof shared | typeof alone): (user: number) => Promise<number> {
  const plans = testPlans(plan)
  const windows = new PlanWindows(limits)
  const accounts = new TurnAccounts(leases, windows, plans)
  const accepting = { send: () => Promise.resolve({ duplicate: false }) } as unknown as ConversationService
  const door = limitTurns(accepting, {
    plans,
    windows,
    leases,
    lookUps: alone.limits.limit({ name: 'look-ups', points: many, perSeconds: 60 }),
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

const cases = [
  { name: 'every limit of a plan, in Redis', turn: turnsUnder(everything, shared) },
  { name: 'the default plan, in Redis', turn: turnsUnder(ordinary, shared) },
  { name: 'every limit, in memory', turn: turnsUnder(everything, alone) },
  { name: 'no limit, in memory', turn: turnsUnder(unlimited, alone) },
] as const

for (const atOnce of [1, users]) {
  const run = (turn: (user: number) => Promise<number>) => async (): Promise<number[]> => {
    const waits: number[] = []
    for (let n = 0; n < turns; n += atOnce) waits.push(...(await Promise.all(Array.from({ length: atOnce }, (_, user) => turn(user)))))
    return waits
  }
  for (const { name, turn } of cases) {
    await run(turn)()
    const waits = await run(turn)()
    process.stdout.write(`${name}, ${atOnce} at once: a send waits ${percentile(waits, 0.5).toFixed(3)} ms (median), ${percentile(waits, 0.99).toFixed(3)} ms (99 %)\n`)
  }
  const [ours, ...others] = cases.map(({ name, turn }) => ({ name, run: async () => void (await run(turn)()) }))
  if (ours !== undefined) await report({ title: `A turn's limits, ${atOnce} turns at once`, unit: 'turn', operations: turns, cases: [ours, ...others] })
}
await connection.stop()
for (const teardown of teardowns.reverse()) await teardown()
