/**
 * What tracing costs a turn: a cluster that traces nothing, one that records a hundredth of the turns, and one that records
 * all, each at a database of its own of one Postgres. One after the other, round after round.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { noTracer } from '../../platform/tracing/tracer.ts'
import { spread } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Contestant } from './result.ts'
import { since, startCluster, type ClusterUnderTest, type CpuTimes } from './testing/cluster-under-test.ts'
import { SpanCollector } from './testing/span-collector.ts'
import { postgresSettings } from './testing/stored-history.ts'
import { connect, conversationsPerSocket, converse, type Conversation } from './testing/talkers.ts'
import { takeTurns } from './testing/turns-in-a-row.ts'

const replyTokens = 20
/** So that none gets a long history. */
const conversationsPerTurn = 8
const shares = ['0', '0.01', '1'] as const
const names: Readonly<Record<(typeof shares)[number], string>> = { '0': 'no traces', '0.01': 'one turn in a hundred', '1': 'every turn' }
const idleSpans = 1_000_000
/** Spans wait for others, but for 2 s at most. */
const sentWithinMs = 4_000

interface Traced {
  readonly name: string
  readonly cluster: ClusterUnderTest
  readonly resting: Conversation[]
  readonly samples: CpuTimes[]
}

await runBenchmark({
  name: 'tracing',
  title: 'Tracing',
  question: 'What does a turn cost more where traces are recorded, and what where they are not?',
  options: {
    'under-way': { default: 64, help: 'turns at a time' },
    turns: { default: 3_000, quick: 500, help: 'of a round' },
    rounds: { default: 7, quick: 2, help: 'after one that warms up' },
  },
  run: async ({ 'under-way': underWay, turns, rounds }, say) => {
    const postgres = await startPostgres(undefined, postgresSettings)
    const collector = await SpanCollector.start()
    const traced: Traced[] = []
    try {
      for (const share of shares) {
        const tracing = share === '0' ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url, OTEL_TRACES_SAMPLER_ARG: share }
        const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens, databaseUrls: [await postgres.createDatabase(`traced_${share}`)], env: tracing })
        const talkers = await connect(cluster.port, Math.ceil((underWay * conversationsPerTurn) / conversationsPerSocket))
        traced.push({ name: names[share], cluster, resting: await converse(talkers, underWay * conversationsPerTurn), samples: [] })
      }
      const spansATurn = await countSpans(traced.at(-1) as Traced, collector)
      for (let round = 0; round <= rounds; round += 1) {
        for (const { cluster, resting, samples } of traced) {
          const before = cluster.cpu()
          await takeTurns(resting, underWay, turns, replyTokens)
          if (round > 0) samples.push(since(before, cluster.cpu()))
        }
        say(`round ${round} of ${rounds}`)
      }
      const perTurn = (part: string) => ({ samples }: Traced): number[] => samples.map((cpu) => ((cpu.get(part) ?? 0) / turns) * 1e6)
      const edge = perTurn('edge-1')
      const bridge = perTurn('bridge-1')
      const sum = (each: Traced): number[] => edge(each).map((microseconds, n) => microseconds + (bridge(each)[n] ?? 0))
      const contestants: Contestant[] = traced.map((each) => ({
        name: each.name,
        figures: [
          { name: 'CPU of edge and bridge, a turn', unit: 'µs', samples: sum(each) },
          { name: 'edge', unit: 'µs', samples: edge(each) },
          { name: 'bridge', unit: 'µs', samples: bridge(each) },
        ],
      }))
      const idle = Array.from({ length: rounds }, nanosecondsOfNoSpan)
      const off = traced[0]
      return {
        tables: [
          { title: `Turns of ${replyTokens} tokens, ${underWay} under way`, contestants },
          { title: 'Where nothing is traced', contestants: [{ name: 'ChatterBot', isOurs: true, figures: [{ name: 'a span that is not recorded', unit: 'ns', samples: idle }, { name: 'spans of a turn, where all are', unit: '', samples: [spansATurn] }] }] },
        ],
        aims: [
          {
            what: 'CPU of the spans that are not recorded, of all that a turn takes of edge and bridge',
            is: 'at most',
            bound: 0.1,
            unit: '%',
            measured: off === undefined ? null : ((spread(idle).median * spansATurn) / 1000 / spread(sum(off)).median) * 100,
            reason: 'a span costs more than a call that does nothing.',
          },
        ],
      }
    } finally {
      for (const { cluster, resting } of traced) {
        for (const { talker } of resting) talker.socket.leave()
        await cluster.stop()
      }
      collector.stop()
      await postgres.stop()
    }
  },
})

/** Of some turns, one at a time: of many at once a collector gets no more than waits for it. */
async function countSpans({ resting }: Traced, collector: SpanCollector): Promise<number> {
  const turns = 50
  const before = collector.spans
  await takeTurns(resting, 1, turns, replyTokens)
  await delay(sentWithinMs)
  return (collector.spans - before) / turns
}

/** CPU, with what a caller does about a span besides. */
function nanosecondsOfNoSpan(): number {
  const before = process.cpuUsage()
  let passedOn = 0
  for (let n = 0; n < idleSpans; n += 1) {
    const span = noTracer.span('turn', null, 'internal', { 'chatterbot.turn_id': `${n}` })
    span.event('granted')
    if (span.traceparent !== null) passedOn += 1
    span.end()
  }
  if (passedOn > 0) throw new Error('a trace came of nothing')
  const { user, system } = process.cpuUsage(before)
  return ((user + system) * 1000) / idleSpans
}
