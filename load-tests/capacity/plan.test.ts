import fc from 'fast-check'
import t from 'tap'
import { readArguments, usage } from './arguments.ts'
import type { Figures } from './figures.ts'
import { planFor } from './plan.ts'
import { report } from './report.ts'

const part = { perTurnS: 0.001, perMillionTokensS: 10 }
const figures: Figures = { edge: part, bridge: part, nats: part, redis: part, postgres: part, edgeBytesPerUser: 6_000, postgresTurnsPerS: 8_000 }

function planOf(...args: string[]): ReturnType<typeof planFor> {
  const asked = readArguments(args)
  if (asked === 'help') throw new Error('asked for help')
  return planFor(asked.workload, asked.gpu, asked.aim, asked.prices, figures)
}

t.test('10,000 people need what can be worked out by hand', async (t) => {
  const plan = planOf('--users', '10000', '--think', '60', '--reply-tokens', '200')
  // Little's law: people = turns a second × (thinking + reply).
  t.ok(Math.abs(plan.queue.turnsPerS * (60 + plan.queue.replyS) - 10_000) < 10)
  t.equal(plan.slotsPerReplica, 41)
  t.ok(plan.queue.utilization <= 0.8)
  t.equal(plan.edges, 2, 'one would do, and may die')
  // A turn of 200 tokens is 3 ms of a core, of which half is used.
  t.ok(Math.abs(plan.cores.edge - plan.queue.turnsPerS * 0.003 * 2) < 1e-9)
  t.ok(plan.cores.edge < 2)
  t.match(report({ users: 10_000, thinkS: 60, promptTokens: 600, replyTokens: 200 }, plan, null), /10,000 people .*\n\n {2}turns a second {2,}1\d\d\n/)
})

t.test('twice the people never need less of anything', async () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 20_000 }), (users) => {
      const one = planOf('--users', String(users))
      const two = planOf('--users', String(users * 2))
      return two.queue.replicas >= one.queue.replicas && two.edges >= one.edges && two.bridges >= one.bridges && two.postgresShards >= one.postgresShards && two.redisGiB > one.redisGiB
    }),
    { numRuns: 30 },
  )
})

t.test('a command line that makes no sense is refused in words', async (t) => {
  t.throws(() => readArguments(['--users', 'many']), /--users: "many" is not a number from 1/)
  t.throws(() => readArguments(['--users', '1.5']), /whole number/)
  t.throws(() => readArguments(['--utilization', '2']), /--utilization/)
  t.throws(() => readArguments(['--user', '5']), TypeError)
  t.equal(readArguments(['--help']), 'help')
  t.match(usage, /--gpu-price N/)
})
