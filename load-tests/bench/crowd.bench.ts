/** Many who are connected, of whom some stream: what 10,000 people at a chat are. */
import { smallestPipeline } from '../floors/smallest-pipeline.ts'
import { spread } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Aim, Contestant, Figure } from './result.ts'
import { contest, engineDirectly, startOurs, startPeers, type Streamed, type StreamLoad, type StreamRound } from './testing/stream-contest.ts'

const tokensPerSecond = 20

await runBenchmark({
  name: 'crowd',
  title: 'A crowd, part of which streams',
  question: 'Do 10,000 connections, 2,000 of which stream, get every token in time, all processes on this machine?',
  options: {
    sockets: { default: 10_000, quick: 2_000, help: 'open' },
    streams: { default: 2_000, quick: 400, help: 'of them, at once' },
    tokens: { default: 120, quick: 60, help: 'of a reply' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
    profiles: { default: '', help: 'folder for profiles of the cluster; not made without' },
  },
  run: async ({ sockets, streams, tokens, rounds, profiles }, say) => {
    const load: StreamLoad = { streams, tokensPerSecond, tokens, withinMs: 2_000, rounds }
    const leftOut: { name: string; why: string }[] = []
    const leaveOut = (name: string, why: string): void => void leftOut.push({ name, why })
    const { cluster, peer: mine } = await startOurs(load, profiles)
    const started = [mine]
    try {
      started.push(...(await startPeers([smallestPipeline], load, cluster.engineUrl, leaveOut)))
      const floor = engineDirectly(cluster)
      const contestants: Contestant[] = []
      let added = Number.NaN
      let faults = 0
      for (const peer of started) {
        // One after the other: the connections of both would be more than a process may have open on many machines.
        const [directly, streamed] = await contest([{ peer: floor }, { peer, idle: sockets - streams }], load, say, leaveOut)
        if (directly === undefined || streamed === undefined) throw new Error('nobody was heard')
        const gaps = gapAdded(streamed, directly)
        if (peer === mine) {
          added = spread(gaps).median
          faults = streamed.rounds.reduce((sum, round) => sum + round.faults + round.failures.length, 0)
        }
        contestants.push({ name: peer.name, ...(peer === mine ? { isOurs: true } : {}), figures: figuresOf(streamed, gaps) })
      }
      const at = `${sockets} connections, ${streams} of which stream`
      const aims: Aim[] = [
        { what: `gap added, p99, ${at}`, is: 'at most', bound: 100, unit: 'ms', measured: added, reason: 'the processes, the engine and the client want more than the cores of this machine' },
        { what: `replies lost, doubled, reordered or failed, ${at}`, is: 'at most', bound: 0, unit: '', measured: faults, reason: 'see the failures' },
      ]
      return { tables: [{ title: `${at} at ${tokensPerSecond} tokens a second`, contestants }], aims, leftOut }
    } finally {
      for (const each of started.toReversed()) await each.stop()
    }
  },
})

/** Milliseconds at p99, round by round. */
function gapAdded(streamed: Streamed, directly: Streamed): number[] {
  return streamed.rounds.map(({ gap }, index) => gap.p99 - (directly.rounds[index]?.gap.p99 ?? Number.NaN))
}

function figuresOf({ rounds }: Streamed, gaps: readonly number[]): Figure[] {
  const each = (name: string, unit: string, of: (round: StreamRound) => number): Figure => ({ name, unit, samples: rounds.map(of) })
  return [
    ...[...(rounds[0]?.cpu.keys() ?? [])].map((name) => each(`cores, ${name}`, '', ({ cpu, seconds }) => (cpu.get(name) ?? 0) / seconds)),
    each('tokens a frame', '', ({ tokensAFrame }) => tokensAFrame),
    each('first text, p99', 'ms', ({ first }) => first.p99),
    { name: 'gap added, p99', unit: 'ms', samples: gaps },
    each('longest gap', 'ms', ({ gap }) => gap.max),
    each('replies that failed', '', ({ faults, failures }) => faults + failures.length),
  ]
}
