/** Many who are connected, of whom some stream: what 10,000 people at a chat are. */
import { number } from './markdown.ts'
import { spread } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Aim, Figure } from './result.ts'
import { contest, engineDirectly, startOurs, type Streamed, type StreamLoad, type StreamRound } from './testing/stream-contest.ts'

const tokensPerSecond = 20
/** Who passes tokens on, in order. */
const waiting = ['engine', 'bridge-1', 'nats', 'edge-1', 'load client'] as const

await runBenchmark({
  name: 'crowd',
  title: 'A crowd, part of which streams',
  question: 'Do 10,000 connections, 2,000 of which stream, get every token in time, all processes on this machine?',
  options: {
    sockets: { default: 10_000, quick: 2_000, help: 'open' },
    streams: { default: 2_000, quick: 400, help: 'of them, at once' },
    tokens: { default: 160, quick: 60, help: 'of a reply' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
    profiles: { default: '', help: 'folder for profiles of the cluster; not made without' },
  },
  run: async ({ sockets, streams, tokens, rounds, profiles }, say) => {
    // Half of a reply's time to begin in: this is a crowd, not a storm.
    const load: StreamLoad = { streams, tokensPerSecond, tokens, withinMs: (tokens / tokensPerSecond / 2) * 1000, rounds }
    const { cluster, peer } = await startOurs(load, { profiles })
    try {
      const beside = new Map([['engine', cluster.pidOf('engine') as number], ['load client', process.pid]])
      const refuse = (name: string, why: string): never => {
        throw new Error(`${name}: ${why}`)
      }
      const [directly, streamed] = await contest([{ peer: engineDirectly(cluster), beside }, { peer, idle: sockets - streams, beside }], load, say, refuse)
      if (directly === undefined || streamed === undefined) throw new Error('nobody was heard')
      const gaps = gapAdded(streamed, directly)
      const at = `${sockets} connections, ${streams} of which stream`
      const failures = streamed.rounds.flatMap((round) => round.failures)
      const aims: Aim[] = [
        { what: `Gap added over the engine's, p99, ${at}`, is: 'at most', bound: 100, unit: 'ms', measured: spread(gaps).median, reason: whyLate(streamed, directly) },
        { what: `Replies lost, doubled, reordered or failed, ${at}`, is: 'at most', bound: 0, unit: '', measured: streamed.rounds.reduce((sum, { faults }) => sum + faults, failures.length), reason: failures[0] ?? 'replies are not what the engine said' },
      ]
      return { tables: [{ title: `${at} at ${tokensPerSecond} tokens a second, ${tokens} a reply`, contestants: [{ name: 'ChatterBot', isOurs: true, figures: figuresOf(streamed, directly, gaps) }] }], aims }
    } finally {
      await cluster.stop()
    }
  },
})

/** Milliseconds at p99, round by round. */
function gapAdded(streamed: Streamed, directly: Streamed): number[] {
  return streamed.rounds.map(({ gap }, index) => gap.p99 - (directly.rounds[index]?.gap.p99 ?? Number.NaN))
}

/** What cores were used for, and who waited for one. */
function whyLate({ rounds }: Streamed, directly: Streamed): string {
  const median = (of: (round: StreamRound) => number, all = rounds): string => number(spread(all.map(of)).median)
  const waits = waiting.map((name) => `${name} ${median((round) => coreWait(round, name))} ms`).join(', ')
  return `all processes use ${median(coresOfAll)} cores, and in a second each waits for one: ${waits}; the client's timers are ${median(({ clientLate }) => clientLate)} ms late at p99 (${median(({ clientLate }) => clientLate, directly.rounds)} ms while it asks the engine directly)`
}

/** Milliseconds of a second, of all its threads together. */
function coreWait({ coreWait: waited, seconds }: StreamRound, name: string): number {
  return ((waited.get(name) ?? Number.NaN) / seconds) * 1000
}

function coresOfAll({ cpu, cpuBeside, seconds }: StreamRound): number {
  return [...cpu.values(), ...cpuBeside.values()].reduce((sum, each) => sum + each, 0) / seconds
}

function figuresOf({ rounds }: Streamed, directly: Streamed, gaps: readonly number[]): Figure[] {
  const each = (name: string, unit: string, of: (round: StreamRound) => number, all = rounds): Figure => ({ name, unit, samples: all.map(of) })
  return [
    ...[...(rounds[0]?.cpu.keys() ?? [])].map((name) => each(`cores, ${name}`, '', ({ cpu, seconds }) => (cpu.get(name) ?? 0) / seconds)),
    ...[...(rounds[0]?.cpuBeside.keys() ?? [])].map((name) => each(`cores, ${name}`, '', ({ cpuBeside, seconds }) => (cpuBeside.get(name) ?? 0) / seconds)),
    each('cores, all', '', coresOfAll),
    ...waiting.map((name) => each(`waiting for a core, ${name}`, 'ms a second', (round) => coreWait(round, name))),
    each("the client's timers late, p99", 'ms', ({ clientLate }) => clientLate),
    each('the same while it asks the engine directly', 'ms', ({ clientLate }) => clientLate, directly.rounds),
    each('tokens a frame', '', ({ tokensAFrame }) => tokensAFrame),
    each('first text, p99', 'ms', ({ first }) => first.p99),
    { name: 'gap added, p99', unit: 'ms', samples: gaps },
    each('longest gap', 'ms', ({ gap }) => gap.max),
    each('replies that failed', '', ({ faults, failures }) => faults + failures.length),
  ]
}
