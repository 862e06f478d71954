/**
 * How long collections of garbage hold up the edge and the bridge, at streams of 50 tokens a second and beside
 * conversations that rest: what lives makes a full collection longer.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import os from 'node:os'
import path from 'node:path'
import { percentile } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Aim, Contestant } from './result.ts'
import { startCluster, type ClusterUnderTest } from './testing/cluster-under-test.ts'
import { readPauses, type Pause } from './testing/read-pauses.ts'
import { connect, conversationsPerSocket, converse } from './testing/talkers.ts'

const tokens = 300
const mostMs = 10

/** In milliseconds since the epoch. */
interface Round {
  readonly from: number
  readonly to: number
}

/** Of one process, in each round. */
interface Held {
  readonly name: string
  readonly rounds: readonly { readonly seconds: number; readonly pauses: readonly Pause[] }[]
}

async function talk(cluster: ClusterUnderTest, streams: number, resting: number, rounds: number, say: (progress: string) => void): Promise<readonly Round[]> {
  say('conversations that rest')
  const silent = await connect(cluster.port, Math.ceil(resting / conversationsPerSocket), 'edge-1')
  await converse(silent, resting)
  const talkers = await connect(cluster.port, Math.ceil(streams / conversationsPerSocket), 'edge-1')
  const conversations = await converse(talkers, streams)
  const measured: Round[] = []
  for (let n = 0; n <= rounds; n += 1) {
    say(n === 0 ? 'warm up' : `round ${n}`)
    const from = Date.now()
    await Promise.all(conversations.map(({ talker, id }, each) => talker.talk(id, `question ${each} of ${performance.now()}`, tokens)))
    if (n > 0) measured.push({ from, to: Date.now() })
  }
  for (const { socket } of [...silent, ...talkers]) socket.leave()
  return measured
}

async function measure(streams: number, resting: number, rounds: number, say: (progress: string) => void): Promise<readonly Held[]> {
  const folder = mkdtempSync(path.join(os.tmpdir(), 'chatterbot-pauses-'))
  try {
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 50, firstTokenMs: 50, replyTokens: tokens, pauses: folder })
    let measured: readonly Round[] = []
    try {
      measured = await talk(cluster, streams, resting, rounds, say)
    } finally {
      // Each process writes its pauses down as it ends.
      await cluster.stop()
    }
    return cluster.report.processes.flatMap(({ node, pid }) => {
      if (pid === null) return []
      const pauses = readPauses(folder, pid)
      return { name: node, rounds: measured.map(({ from, to }) => ({ seconds: (to - from) / 1000, pauses: pauses.filter(({ at }) => at >= from && at < to) })) }
    })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

function contestant({ name, rounds }: Held): Contestant {
  const figure = (of: string, unit: string, sample: (round: Held['rounds'][number]) => number) => ({ name: of, unit, samples: rounds.map(sample) })
  // A round has too few of them for what is rare.
  const ofAll = (of: string, sample: (pauses: readonly Pause[]) => number) => ({ name: of, unit: 'ms', samples: [sample(rounds.flatMap(({ pauses }) => pauses))] })
  return {
    name,
    isOurs: true,
    figures: [
      figure('pauses', 'a second', ({ pauses, seconds }) => pauses.length / seconds),
      figure('share of its time', '%', ({ pauses, seconds }) => pauses.reduce((sum, { ms }) => sum + ms, 0) / (seconds * 10)),
      ofAll('p50', (pauses) => percentile(lengths(pauses), 0.5)),
      ofAll('p99', (pauses) => percentile(lengths(pauses), 0.99)),
      ofAll('longest for the young generation', (pauses) => longest(pauses, true)),
      ofAll('longest for all of the heap', (pauses) => longest(pauses, false)),
    ],
  }
}

function lengths(pauses: readonly Pause[]): number[] {
  return pauses.map(({ ms }) => ms)
}

function longest(pauses: readonly Pause[], ofYoung: boolean): number {
  return Math.max(0, ...lengths(pauses.filter(({ isYoung }) => isYoung === ofYoung)))
}

function aim({ name, rounds }: Held): Aim {
  const pauses = rounds.flatMap((round) => round.pauses)
  const long = pauses.filter(({ ms }) => ms >= mostMs)
  const young = long.filter(({ isYoung }) => isYoung).length
  return { what: `Pauses of ${name} for garbage, p99`, is: 'less than', bound: mostMs, unit: 'ms', measured: percentile(lengths(pauses), 0.99), reason: `of ${pauses.length} pauses, ${long.length} last ${mostMs} ms or longer: ${young} for the young generation, ${long.length - young} for steps of a collection of all of the heap; the process has a core for about half of a long pause only, as engine, clients and other servers share the cores (decision 31)` }
}

await runBenchmark({
  name: 'gc-pauses',
  title: 'Pauses for garbage',
  question: 'How long do collections of garbage hold up an edge and a bridge?',
  options: {
    streams: { default: 1000, quick: 200, help: 'at once' },
    resting: { default: 4000, quick: 500, help: 'conversations that are open meanwhile, and silent' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
  },
  run: async ({ streams, resting, rounds }, say) => {
    const held = await measure(streams, resting, rounds, say)
    return {
      tables: [{ title: `${streams} streams of 50 tokens a second beside ${resting} open conversations that are silent`, contestants: held.map(contestant) }],
      aims: held.map(aim),
    }
  },
})
