/**
 * What a turn costs that shares nothing with others: they arrive as people do (Poisson), too few for batches. CPU time of
 * every server that has a part in it, databases included, beside the specification's own design with the same arrivals in the
 * same round. What servers do while nobody asks is measured first, and taken off.
 */
import { headline } from './headlines.ts'
import { percentile, spread } from './measure.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Contestant, Figure, Findings, Table } from './result.ts'
import { atEach, poisson } from './testing/arrivals.ts'
import { since, total, type CpuTimes } from './testing/cluster-under-test.ts'
import { startTurnTakers, type TurnTaker } from './testing/turn-takers.ts'

const idleWindowMs = 1_000
/** What a server puts off while it is at work is over by then. */
const settleMs = 3_000
const longReply = 100

interface Case {
  /** Turns a second, on average. */
  readonly rate: number
  /** Of a reply. */
  readonly tokens: number
}

interface Sample {
  /** CPU milliseconds a turn by process, without what it spends while nobody asks. */
  readonly turn: ReadonlyMap<string, number>
  /** Milliseconds from the question to the end of the reply. */
  readonly p50: number
  readonly p99: number
}

interface Contest {
  readonly taker: TurnTaker
  /** CPU milliseconds a second by process while nobody asks, window by window. */
  readonly idle: readonly CpuTimes[]
  readonly samples: ReadonlyMap<Case, Sample[]>
}

await runBenchmark({
  name: 'turn-cost',
  title: 'A turn that is alone',
  question: 'What CPU does a turn cost each server while few are under way, and what do they spend while nobody asks?',
  options: {
    rates: { default: '10,40,100', quick: '40', help: 'turns a second, answered by one token' },
    long: { default: '40', help: `turns a second, answered by ${longReply} tokens` },
    rounds: { default: 5, quick: 2, help: 'in which each takes the same turns' },
    profiles: { default: '', help: "folder for profiles of the cluster's processes; not made without" },
  },
  run: async ({ rates, long, rounds, profiles }, say): Promise<Findings> => {
    const cases: Case[] = [...numbersOf(rates).map((rate) => ({ rate, tokens: 1 })), ...numbersOf(long).map((rate) => ({ rate, tokens: longReply }))]
    const started = await startTurnTakers(profiles)
    const { takers, leftOut } = started
    try {
      await new Promise((resolve) => setTimeout(resolve, settleMs))
      const idle = await idleTimes(takers, rounds)
      say('measured while nobody asks')
      const contests = takers.map((taker, index): Contest => ({ taker, idle: idle[index] ?? [], samples: new Map(cases.map((each) => [each, []])) }))
      for (let round = 1; round <= rounds; round += 1) {
        for (const each of cases) {
          const times = poisson(each.rate, secondsOf(each) * 1000)
          for (const contest of contests) contest.samples.get(each)?.push(await sample(contest, each, times))
        }
        say(`round ${round} of ${rounds}`)
      }
      return { ...findingsOf(contests, cases), leftOut, remarks: ['CPU a turn is without what the servers spend while nobody asks. The peer begins a conversation with each question; ChatterBot goes on in one of several hundred.'] }
    } finally {
      await started.stop()
    }
  },
})

/** Fewer turns a second need longer until they say something. */
function secondsOf({ rate }: Case): number {
  return Math.min(2, Math.max(0.8, 40 / rate))
}

/** All at once, as none of them has anything to do. */
async function idleTimes(takers: readonly TurnTaker[], windows: number): Promise<CpuTimes[][]> {
  const times = takers.map((): CpuTimes[] => [])
  for (let window = 0; window < windows; window += 1) {
    const [before, began] = [takers.map((taker) => taker.cpu()), performance.now()]
    await new Promise((resolve) => setTimeout(resolve, idleWindowMs))
    const seconds = (performance.now() - began) / 1000
    for (const [index, taker] of takers.entries()) times[index]?.push(mapped(since(before[index] as CpuTimes, taker.cpu()), (spent) => (spent * 1000) / seconds))
  }
  return times
}

async function sample({ taker, idle }: Contest, { tokens }: Case, times: readonly number[]): Promise<Sample> {
  const [before, began] = [taker.cpu(), performance.now()]
  const ms = await atEach(times, async (index, due) => {
    await taker.take(`question ${index} of ${due}`, tokens)
    return performance.now() - due
  })
  const seconds = (performance.now() - began) / 1000
  const spent = since(before, taker.cpu())
  return { turn: new Map([...spent].map(([name, cpu]) => [name, (cpu * 1000 - idleOf(idle, name) * seconds) / times.length])), p50: percentile(ms, 0.5), p99: percentile(ms, 0.99) }
}

function findingsOf(contests: readonly Contest[], cases: readonly Case[]): Pick<Findings, 'tables' | 'headlines'> {
  const title = ({ rate, tokens }: Case): string => `${rate} turns a second, ${tokens === 1 ? 'one token' : `${tokens} tokens`} each`
  const [ours] = contests
  const tables = cases.map((each): Table => ({
    title: title(each),
    compared: 'CPU a turn',
    contestants: contests.map((contest): Contestant => {
      const samples = contest.samples.get(each) ?? []
      const idle = total(new Map([...(contest.idle[0]?.keys() ?? [])].map((name) => [name, idleOf(contest.idle, name)])))
      const figure = (name: string, unit: string, of: (sample: Sample) => number): Figure => ({ name, unit, samples: samples.map(of) })
      return {
        ...named(contest, ours),
        figures: [
          figure('CPU a turn', 'ms', ({ turn }) => total(turn)),
          figure('with what idling takes, shared among the turns', 'ms', ({ turn }) => total(turn) + idle / each.rate),
          figure('until the reply ends, p50', 'ms', ({ p50 }) => p50),
          figure('until the reply ends, p99', 'ms', ({ p99 }) => p99),
        ],
      }
    }),
  }))
  const parts = contests.map((contest): Table => ({
    title: `CPU a turn by process: ${contest.taker.name}`,
    contestants: cases.map((each) => {
      const samples = contest.samples.get(each) ?? []
      return { name: title(each), figures: [...(samples[0]?.turn.keys() ?? [])].map((name) => ({ name, unit: 'ms', samples: samples.map(({ turn }) => turn.get(name) ?? Number.NaN) })) }
    }),
  }))
  const idle: Table = {
    title: 'CPU while nobody asks',
    contestants: contests.map((contest) => ({
      ...named(contest, ours),
      figures: [
        { name: 'all', unit: 'ms a second', samples: contest.idle.map(total) },
        ...[...(contest.idle[0]?.keys() ?? [])].map((name) => ({ name, unit: 'ms a second', samples: contest.idle.map((window) => window.get(name) ?? Number.NaN) })),
      ],
    })),
  }
  const at = tables.findIndex((_, index) => cases[index]?.rate === 40)
  const shown = tables[at]
  return { tables: [...tables, ...parts, idle], headlines: shown === undefined ? [] : [headline(`CPU of all servers for a turn, stored, ${title(cases[at] as Case)}`, shown, ...contests.slice(1).map(({ taker }) => taker.name))] }
}

function named(contest: Contest, ours: Contest | undefined): Pick<Contestant, 'name' | 'version' | 'isOurs'> {
  const { name, version } = contest.taker
  return { name, version, ...(contest === ours ? { isOurs: true } : {}) }
}

function idleOf(idle: readonly CpuTimes[], name: string): number {
  return spread(idle.map((window) => window.get(name) ?? Number.NaN)).median
}

function mapped(times: CpuTimes, of: (value: number) => number): CpuTimes {
  return new Map([...times].map(([name, value]) => [name, of(value)]))
}
