/**
 * One edge or two that share the port, one bridge or two, with the load, the engine and everything else on the same cores:
 * CPU time for a million tokens, and how evenly they come. Each in a cluster of its own, one after the other, round after round.
 */
import { openSessions } from '../stream-client/open-sessions.ts'
import type { Session } from '../stream-client/session.ts'
import type { Heard } from '../stream-client/talk.ts'
import { loopback } from '../stream-client/wire.ts'
import { percentile } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Contestant } from './result.ts'
import { since, startCluster, type ClusterUnderTest, type CpuTimes } from './testing/cluster-under-test.ts'
import { gapMs, steadyStreams } from './testing/steady-streams.ts'

const tokensPerSecond = 50
const firstTokenMs = 50
const tokens = 150
const withinMs = 1_000
const arrangements = [
  { edges: 1, bridges: 1 },
  { edges: 2, bridges: 1 },
  { edges: 1, bridges: 2 },
  { edges: 2, bridges: 2 },
] as const

interface Arranged {
  readonly name: string
  readonly cluster: ClusterUnderTest
  readonly sessions: readonly Session[]
  readonly samples: { readonly heard: Heard; readonly cpu: CpuTimes }[]
}

await runBenchmark({
  name: 'processes-per-core',
  title: 'Processes for each core',
  question: 'Do two edges or two bridges on the same two cores carry the streams better than one of each, and what do they cost?',
  options: {
    streams: { default: 1_000, quick: 200, help: 'at once' },
    rounds: { default: 5, quick: 2, help: 'after one that warms up' },
  },
  run: async ({ streams, rounds }, say) => {
    const arranged: Arranged[] = []
    try {
      for (const { edges, bridges } of arrangements) {
        const cluster = await startCluster({ edges, bridges, tokensPerSecond, firstTokenMs, replyTokens: tokens })
        const name = `${edges} ${edges === 1 ? 'edge' : 'edges'}, ${bridges} ${bridges === 1 ? 'bridge' : 'bridges'}`
        arranged.push({ name, cluster, sessions: await openSessions(loopback(cluster.port), 'chatterbot', streams), samples: [] })
      }
      for (let round = 0; round <= rounds; round += 1) {
        for (const { cluster, sessions, samples } of arranged) {
          const before = cluster.cpu()
          const heard = await steadyStreams(sessions, tokens, withinMs)
          if (round > 0) samples.push({ heard, cpu: since(before, cluster.cpu()) })
        }
        say(`round ${round} of ${rounds}`)
      }
    } finally {
      for (const { cluster, sessions } of arranged) {
        for (const session of sessions) session.leave()
        await cluster.stop()
      }
    }
    const contestants = arranged.map(({ name, samples }): Contestant => {
      const cpu = (prefix: string): number[] => samples.map((sample) => ([...sample.cpu].reduce((sum, [each, seconds]) => (each.startsWith(prefix) ? sum + seconds : sum), 0) / sample.heard.tokens) * 1e6)
      const parts = [cpu('edge'), cpu('bridge'), cpu('nats')]
      return {
        name,
        figures: [
          { name: 'CPU of edges, a million tokens', unit: 's', samples: parts[0] as number[] },
          { name: 'bridges', unit: 's', samples: parts[1] as number[] },
          { name: 'NATS', unit: 's', samples: parts[2] as number[] },
          { name: 'all three', unit: 's', samples: samples.map((_, n) => parts.reduce((sum, part) => sum + (part[n] as number), 0)) },
          { name: 'first text p99', unit: 'ms', samples: samples.map(({ heard }) => percentile(heard.firstTextMs, 0.99)) },
          { name: 'between two texts p99', unit: 'ms', samples: samples.map(({ heard }) => gapMs(heard, 99)) },
        ],
      }
    })
    return { tables: [{ title: `${streams} streams of ${tokensPerSecond} tokens a second`, contestants }] }
  },
})
