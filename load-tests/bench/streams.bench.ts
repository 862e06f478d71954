/**
 * The token path beside its floors and its peers: the same streams of the same engine to the same client, one contestant
 * after the other, round after round.
 */
import { temporaryFolder } from '../../tests/harness/guard.ts'
import { rawUwebsockets } from '../floors/raw-uwebsockets.ts'
import { smallestPipeline } from '../floors/smallest-pipeline.ts'
import { peers } from '../peers/all.ts'
import { headline } from './headlines.ts'
import { number } from './markdown.ts'
import { spread } from './measure.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Aim, Contestant, Figure, Findings, Table } from './result.ts'
import { profileRound, type ProfiledRound } from './testing/profiled-round.ts'
import { contest, engineDirectly, startOurs, startPeers, type Streamed, type StreamLoad, type StreamRound } from './testing/stream-contest.ts'

const tokensPerSecond = 50
const ours = 'ChatterBot'

interface Level {
  readonly load: StreamLoad
  readonly floor: Streamed
  readonly contestants: readonly Streamed[]
  /** Of a round that counts for nothing else. */
  readonly profiled: ProfiledRound
}

/** What passes tokens on; databases are told of besides. */
const passing: Readonly<Record<string, string>> = { edge: 'edge', bridge: 'bridge', nats: 'NATS' }

function partOf(process: string): string {
  return process.replace(/-\d+$/, '')
}

/** CPU seconds for a million tokens of the processes that `counts` takes. */
function cpu({ cpu: spent, tokens }: StreamRound, counts: (part: string) => boolean): number {
  return ([...spent].reduce((sum, [process, seconds]) => sum + (counts(partOf(process)) ? seconds : 0), 0) / tokens) * 1e6
}

const isDatabase = (part: string): boolean => part === 'postgres' || part === 'redis'
const total = (round: StreamRound): number => cpu(round, (part) => !isDatabase(part))

/** In most rounds. */
function isSaturated({ rounds }: Streamed): boolean {
  return spread(rounds.map((round) => Number(round.isSaturated))).median > 0
}

function figure(name: string, unit: string, { rounds }: Streamed, of: (round: StreamRound, index: number) => number): Figure {
  return { name, unit, samples: rounds.map(of) }
}

function tableOf({ load: { streams, tokens }, floor, contestants }: Level): Table {
  const above = (index: number, of: (round: StreamRound) => number, round: StreamRound): number => of(round) - of(floor.rounds[index] as StreamRound)
  const row = (each: Streamed): Contestant => {
    return {
      name: each.name,
      version: each.version,
      ...(isSaturated(each) ? { isSaturated: true as const } : {}),
      ...(each.name === ours ? { isOurs: true as const } : {}),
      figures: [
        figure('CPU a million tokens', 's', each, total),
        ...(each.name === ours ? [figure('of databases besides', 's', each, (round) => cpu(round, isDatabase))] : []),
        figure('tokens a second', '', each, ({ tokens, seconds }) => Math.round(tokens / seconds)),
        figure('tokens a frame', '', each, ({ tokensAFrame }) => tokensAFrame),
        figure('first text added, p50', 'ms', each, (round, index) => above(index, ({ first }) => first.p50, round)),
        figure('first text added, p99', 'ms', each, (round, index) => above(index, ({ first }) => first.p99, round)),
        figure('gap added, p99', 'ms', each, (round, index) => above(index, ({ gap }) => gap.p99, round)),
        ...(each.rounds.some(({ faults, failures }) => faults + failures.length > 0) ? [figure('replies that failed', '', each, ({ faults, failures }) => faults + failures.length)] : []),
      ],
    }
  }
  return { title: `${streams} streams of ${tokensPerSecond} tokens a second, ${tokens} a reply`, compared: 'CPU a million tokens', contestants: contestants.map(row) }
}

function partsOf({ load: { streams }, contestants }: Level): Table {
  const some = contestants.filter(({ name }) => name === ours || name === smallestPipeline.name)
  return {
    title: `CPU seconds a million tokens by process, ${streams} streams`,
    contestants: some.map((each) => ({
      name: each.name,
      ...(each.name === ours ? { isOurs: true as const } : {}),
      figures: [...new Set([...(each.rounds[0]?.cpu.keys() ?? [])].map(partOf))].map((part) => figure(passing[part] ?? part, 's', each, (round) => cpu(round, (name) => name === part))),
    })),
  }
}

function sharesOf({ load: { streams }, profiled }: Level): Table[] {
  return (['edge', 'bridge'] as const).map((part) => ({
    title: `Where the CPU of the ${part} goes, ${streams} streams`,
    contestants: [{ name: part, figures: [...profiled[part]].map(([name, share]) => ({ name, unit: '%', samples: [share * 100] })) }],
  }))
}

/** Half of a reply's time to begin in: otherwise what beginning costs, all at once, would hide what streaming does. */
function loadOf(streams: number, rounds: number): StreamLoad {
  const tokens = streams < 1_000 ? 100 : 200
  return { streams, tokensPerSecond, tokens, withinMs: (tokens / tokensPerSecond / 2) * 1000, rounds }
}

/** The largest parts of one's CPU time, in words. */
function partsInWords(shares: ReadonlyMap<string, number>): string {
  return [...shares].slice(0, 5).map(([part, share]) => `${percent(share)} ${part}`).join('; ')
}

function percent(share: number): string {
  return `${Math.round(share * 100)}%`
}

/** Of what a peer that keeps nothing, in one process, has no counterpart to. */
function exchanging(shares: ReadonlyMap<string, number>): string {
  return percent([...shares].reduce((sum, [part, share]) => sum + (/^(Postgres|Redis|NATS)/.test(part) ? share : 0), 0))
}

function aimsOf({ load: { streams }, contestants, profiled }: Level): Aim[] {
  const find = (name: string): Streamed | undefined => contestants.find((each) => each.name === name)
  const mine = find(ours) as Streamed
  const median = (each: Streamed | undefined, of: (round: StreamRound) => number): number => (each === undefined ? Number.NaN : spread(each.rounds.map(of)).median)
  const ratio = (name: string, of: (round: StreamRound) => number): number | null => orNull(median(mine, of) / median(find(name), of))
  const at = `${streams} streams`
  const seconds = (part: string): string => number(median(mine, (round) => cpu(round, (name) => name === part)))
  const toFloor = (part: 'edge' | 'bridge', bound: number): Aim => {
    const of = (round: StreamRound): number => cpu(round, (name) => name === part)
    return { what: `CPU of the ${part} to the smallest pipeline's, ${at}`, is: 'at most', bound, unit: '×', measured: ratio(smallestPipeline.name, of), reason: `where its CPU goes: ${partsInWords(profiled[part])}` }
  }
  const toPeer = (name: string, bound: number, is: Aim['is']): Aim => ({ what: `CPU of edge, bridge and NATS to ${name}'s, ${at}`, is, bound, unit: '×', measured: ratio(name, total), reason: `${seconds('edge')} s of it are the edge's and ${seconds('bridge')} s the bridge's; ${exchanging(profiled.edge)} and ${exchanging(profiled.bridge)} of these are exchanges with Postgres, Redis and NATS, which a peer has none of that keeps nothing` })
  const toPeers = streams < 1_000
    ? ['FastAPI + httpx', 'LiteLLM'].map((name) => toPeer(name, 1 / 25, 'at most'))
    : ['nginx', 'ws', 'Socket.IO', 'FastAPI + aiohttp'].map((name) => toPeer(name, 1, 'less than'))
  return [toFloor('edge', 1.3), toFloor('bridge', 1.2), ...toPeers]
}

function orNull(value: number): number | null {
  return Number.isFinite(value) ? value : null
}

await runBenchmark({
  name: 'streams',
  title: 'Streams, beside floors and peers',
  question: 'What does a token cost from the engine to the client, turns included, and how much later does it come, beside servers that do less?',
  options: {
    streams: { default: '200,1000', quick: '200', help: 'at once; several, as 200,1000, one after the other' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
    only: { default: '', help: 'names of floors and peers, with commas between; all without' },
    profiles: { default: '', help: 'folder for profiles of the cluster; not made without' },
  },
  run: async ({ streams, rounds, only, profiles }, say): Promise<Findings> => {
    const loads = numbersOf(streams).map((count) => loadOf(count, rounds))
    const [load] = loads
    if (load === undefined) return { tables: [] }
    const leftOut: { name: string; why: string }[] = []
    const leaveOut = (name: string, why: string): void => void leftOut.push({ name, why })
    const names = only === '' ? null : only.split(',')
    const kinds = [rawUwebsockets(1), rawUwebsockets(5), smallestPipeline, ...peers].filter(({ name }) => names === null || names.includes(name))
    const folder = temporaryFolder('profiles')
    const { cluster, peer: mine } = await startOurs(load, { profiles, profilesOnSignal: folder.path })
    const started = [mine]
    try {
      started.push(...(await startPeers(kinds, load, cluster.engineUrl, leaveOut)))
      const levels: Level[] = []
      let asked = started
      for (const each of loads) {
        const [floor, ...contestants] = await contest([engineDirectly(cluster), ...asked].map((peer) => ({ peer })), each, say, leaveOut)
        if (floor === undefined) throw new Error('there is no floor')
        say(`${each.streams} streams, profiled`)
        levels.push({ load: each, floor, contestants, profiled: await profileRound(cluster, folder.path, each) })
        // Who cannot keep up with fewer is not asked for more.
        asked = asked.filter(({ name }) => name === ours || contestants.some((each) => each.name === name && !isSaturated(each)))
      }
      return {
        tables: levels.flatMap((level) => [tableOf(level), partsOf(level), ...sharesOf(level)]),
        headlines: levels.slice(-1).map((level) => headline(`CPU of edge, bridge and NATS for a million tokens, ${level.load.streams} streams`, tableOf(level), 'nginx', 'ws', 'Socket.IO', 'FastAPI + aiohttp', smallestPipeline.name)),
        aims: levels.flatMap(aimsOf),
        leftOut,
        remarks: [
          'Of ours, everything is on: committed, fenced, resumable. The floors and peers keep nothing, and a reply ends with the connection that asked. What is added is less than nothing where a server, as raw uWebSockets.js, makes the tokens itself instead of asking the engine, or where it does not matter beside how much the times of the engine vary. Who is saturated took more than a quarter longer than the engine alone, and is not asked at more streams. Where CPU goes is told by a profile of a further round, whose figures count for nothing else; what the kernel does for a call is counted with it.',
          ...[...new Set(levels.flatMap(({ contestants }) => contestants.flatMap(({ name, rounds: each }) => each.flatMap(({ failures }) => failures.slice(0, 1).map((why) => `A failure of ${name}: ${why}`)))))],
        ],
      }
    } finally {
      for (const each of started.toReversed()) await each.stop()
      folder.remove()
    }
  },
})
