/**
 * ChatterBot's cluster and its peers with the same endpoints, side by side: one simulated engine, one Postgres that keeps
 * what it has acknowledged, a database each. One after the other is asked by the same people, round after round.
 */
import { startPostgres } from '../../../tests/harness/postgres.ts'
import { cpuSeconds } from '../cpu-time.ts'
import { headline } from '../headlines.ts'
import { percentile } from '../measure.ts'
import type { Findings, Headline, Table } from '../result.ts'
import { engineDirectly, specification } from './chat-endpoints.ts'
import { since, startCluster, total, type CpuTimes } from './cluster-under-test.ts'
import { startFastapi, type Peer } from './fastapi-peer.ts'
import { ask, type Heard, type Load } from './people.ts'

export interface Contest extends Load {
  readonly kind: 'chat' | 'stream'
  readonly tokensPerSecond: number
  readonly firstTokenMs: number
  readonly rounds: number
  /** Questions that everybody asks each contestant before anything is measured. */
  readonly warmUpEach: number
  /** Folder for profiles of the cluster's processes; without a name, none are made. */
  readonly profiles?: string
}

interface Contestant {
  readonly name: string
  readonly version?: string | undefined
  readonly port: number
  cpu(): CpuTimes
}

interface Round {
  /** CPU seconds of its own processes, and of Postgres. */
  readonly own: number
  readonly postgres: number
  readonly parts: CpuTimes
  readonly p50: number
  readonly p99: number
  readonly answered: number
  readonly failures: readonly string[]
}

interface Result {
  readonly name: string
  readonly version?: string | undefined
  /** CPU milliseconds a second while nobody asks. */
  readonly idle: number
  readonly rounds: readonly Round[]
}

const idleMs = 5_000

const ours = 'ChatterBot'
const postgresSettings = { fsync: 'on', full_page_writes: 'on', shared_buffers: '256MB', max_connections: '150' }

/** What is asked, and how it is told. */
export interface Question {
  readonly contest: Contest
  readonly title: string
  /** What CPU time is divided by, e.g. `thousand tokens`; an answer has `unitsEach` of it. */
  readonly unit: string
  readonly unitsEach: number
  /** What is timed. */
  readonly heard: string
  /** A row of the README, where it is to be one. */
  readonly headline?: string | undefined
}

/** For each number of people a contest of its own. */
export async function holdEach(people: readonly number[], say: (line: string) => void, questionOf: (people: number) => Question): Promise<Findings> {
  const tables: Table[] = []
  const headlines: Headline[] = []
  const remarks: string[] = []
  const leftOut = new Map<string, string>()
  for (const count of people) {
    say(`${count} people`)
    const question = questionOf(count)
    const results = await hold(question.contest, (name, why) => leftOut.set(name, why))
    const [table, ...parts] = tablesOf(question, results)
    tables.push(table, ...parts)
    remarks.push(...failuresOf(results))
    if (question.headline !== undefined) headlines.push(headline(question.headline, table, 'FastAPI + httpx', 'FastAPI + aiohttp'))
  }
  return { tables, headlines, remarks, leftOut: [...leftOut].map(([name, why]) => ({ name, why })) }
}

/** The first result is ours. Who cannot be had here is told of, by name, and left out. */
async function hold(contest: Contest, leftOut: (name: string, why: string) => void): Promise<Result[]> {
  const postgres = await startPostgres(undefined, postgresSettings)
  const stops: (() => Promise<void>)[] = [() => postgres.stop()]
  try {
    const shards = [await postgres.createDatabase('shard_1'), await postgres.createDatabase('shard_2')]
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: contest.tokensPerSecond, firstTokenMs: contest.firstTokenMs, replyTokens: contest.tokens, databaseUrls: shards, ...(contest.profiles === undefined ? {} : { profiles: contest.profiles }) })
    stops.unshift(() => cluster.stop())
    const contestants: Contestant[] = [{ name: ours, port: cluster.port, cpu: () => cluster.serversCpu() }]
    for (const engineClient of ['httpx', 'aiohttp'] as const) {
      const name = `FastAPI + ${engineClient}`
      const peer = await startFastapi({ engineClient, engineUrl: cluster.engineUrl, databaseUrl: await postgres.createDatabase(engineClient) }).catch((error: unknown) => leftOut(name, String(error)))
      if (peer === undefined) continue
      stops.unshift(() => peer.stop())
      contestants.push({ name, version: peer.version, port: peer.port, cpu: () => cpuOf(peer) })
    }

    // A process is as quick as it stays only once what it does often is compiled: of ours, after some thousands of chats. At once, which takes a third of the time.
    await Promise.all(contestants.map(({ port }) => ask(port, specification, contest.kind, { ...contest, questionsEach: contest.warmUpEach })))
    const idleSince = contestants.map(({ cpu }) => cpu())
    await new Promise((resolve) => setTimeout(resolve, idleMs))
    const results = contestants.map(({ name, version, cpu }, index) => ({ name, version, idle: (total(since(idleSince[index] as CpuTimes, cpu())) / idleMs) * 1e6, rounds: [] as Round[] }))
    for (let round = 0; round < contest.rounds; round += 1) {
      const floor = await ask(cluster.enginePort, engineDirectly, contest.kind, contest)
      for (const [index, { port, cpu }] of contestants.entries()) {
        const [before, postgresBefore] = [cpu(), cpuSeconds(postgres.pid)]
        const heard = await ask(port, specification, contest.kind, contest)
        const parts = since(before, cpu())
        results[index]?.rounds.push({ ...added(heard, floor), parts, own: total(parts), postgres: cpuSeconds(postgres.pid) - postgresBefore })
      }
    }
    return results
  } finally {
    for (const stop of stops) await stop()
  }
}

function cpuOf(peer: Peer): CpuTimes {
  return new Map([['uvicorn', cpuSeconds(peer.pid)]])
}

function added({ ms, failures }: Heard, floor: Heard): Pick<Round, 'p50' | 'p99' | 'answered' | 'failures'> {
  return { p50: percentile(ms, 0.5) - percentile(floor.ms, 0.5), p99: percentile(ms, 0.99) - percentile(floor.ms, 0.99), answered: ms.length, failures }
}

/** All of them beside each other, and then ours by its processes. */
function tablesOf({ title, unit, unitsEach, heard }: Question, results: readonly Result[]): [Table, ...Table[]] {
  const perUnit = (result: Result, of: (round: Round) => number): number[] => result.rounds.map((round) => (of(round) / (round.answered * unitsEach)) * 1000)
  const compared = `CPU a ${unit}`
  const [mine] = results
  return [
    {
      title,
      compared,
      contestants: results.map((result) => ({
        name: result.name,
        version: result.version,
        ...(result === mine ? { isOurs: true as const } : {}),
        figures: [
          { name: compared, unit: 'ms', samples: perUnit(result, ({ own }) => own) },
          { name: 'of Postgres besides', unit: 'ms', samples: perUnit(result, ({ postgres }) => postgres) },
          { name: `${heard} added, p50`, unit: 'ms', samples: result.rounds.map(({ p50 }) => p50) },
          { name: `${heard} added, p99`, unit: 'ms', samples: result.rounds.map(({ p99 }) => p99) },
          { name: 'failures', unit: '', samples: [result.rounds.reduce((sum, { failures }) => sum + failures.length, 0)] },
          { name: 'CPU while nobody asks', unit: 'ms a second', samples: [result.idle] },
        ],
      })),
    },
    ...(mine === undefined
      ? []
      : [{ title: `Of ours, ${compared}`, contestants: [{ name: mine.name, isOurs: true as const, figures: [...(mine.rounds[0]?.parts.keys() ?? [])].map((name) => ({ name, unit: 'ms', samples: perUnit(mine, ({ parts }) => parts.get(name) ?? 0) })) }] }]),
  ]
}

/** One of each contestant that had any. */
function failuresOf(results: readonly Result[]): string[] {
  return results.flatMap(({ name, rounds }) => rounds.flatMap(({ failures }) => failures).slice(0, 1).map((why) => `A failure of ${name}: ${why}`))
}
