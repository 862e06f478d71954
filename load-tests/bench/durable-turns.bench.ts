/**
 * Turns a second that are stored before they are answered, all asked by one load of this machine: the cluster over WebSocket;
 * the specification's own design, which makes a conversation of each; the cluster's own store without anything before it; and
 * Postgres with the same commits by a statement each. One after the other, round after round, on one Postgres with fsync.
 */
import pg from 'pg'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import { evenShards } from '../../storage/postgres/shard-map.ts'
import { createPostgresStorage } from '../../storage/postgres/storage.ts'
import { acceptTurn, beginTurn, endTurn, ownConversation, type Owned } from '../../storage/testing/writes.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { cpuSeconds } from './cpu-time.ts'
import { number } from './markdown.ts'
import { spread } from './measure.ts'
import { runBenchmark } from './program.ts'
import { specification } from './testing/chat-endpoints.ts'
import { startCluster, total } from './testing/cluster-under-test.ts'
import { startFastapi } from './testing/fastapi-peer.ts'
import { ask } from './testing/people.ts'
import { groupCommit, singleStatements, type Writer } from './testing/turn-writers.ts'
import { postgresSettings } from './testing/stored-history.ts'
import { connect, conversationsPerSocket, converse } from './testing/talkers.ts'
import { takeTurns } from './testing/turns-in-a-row.ts'

const replyTokens = 1
/** So that none gets a long history. */
const conversationsPerTurn = 8
const connections = 10

interface Taken {
  readonly turns: number
  readonly seconds: number
}

interface Contestant {
  readonly name: string
  readonly version?: string | undefined
  /** Takes so many turns, or a few more. */
  take(turns: number): Promise<Taken>
  /** CPU seconds so far, without Postgres. */
  cpu(): number
}

interface Sample {
  readonly perSecond: number
  readonly own: number
  readonly postgres: number
}

await runBenchmark({
  name: 'durable-turns',
  title: 'Durable turns',
  question: 'How many turns a second are stored and answered, beside what stores less and what does nothing but store?',
  options: {
    'under-way': { default: 256, help: 'turns at a time' },
    turns: { default: 3_000, quick: 600, help: 'of a round' },
    rounds: { default: 5, quick: 2, help: 'after one that warms up' },
  },
  run: async ({ 'under-way': underWay, turns, rounds }, say) => {
    const postgres = await startPostgres(undefined, postgresSettings)
    const stops: (() => Promise<void>)[] = [() => postgres.stop()]
    const leftOut: { name: string; why: string }[] = []
    try {
      const contestants = await contest(postgres, underWay, stops, leftOut)
      const samples = new Map<Contestant, Sample[]>(contestants.map((each) => [each, []]))
      for (let round = 0; round <= rounds; round += 1) {
        for (const contestant of contestants) {
          const [own, ofPostgres] = [contestant.cpu(), cpuSeconds(postgres.pid)]
          const taken = await contestant.take(turns)
          const each = (seconds: number): number => (seconds / taken.turns) * 1e6
          const sample = { perSecond: taken.turns / taken.seconds, own: each(contestant.cpu() - own), postgres: each(cpuSeconds(postgres.pid) - ofPostgres) }
          if (round > 0) samples.get(contestant)?.push(sample)
        }
        say(`round ${round} of ${rounds}`)
      }
      const figure = (contestant: Contestant, of: (sample: Sample) => number): number[] => (samples.get(contestant) ?? []).map(of)
      const [ours] = contestants
      const peer = contestants.find(({ name }) => name.startsWith('FastAPI'))
      const rate = (contestant: Contestant | undefined): string => (contestant === undefined ? '' : number(Math.round(spread(figure(contestant, ({ perSecond }) => perSecond)).median)))
      return {
        tables: [
          {
            title: `Turns of one token, ${underWay} under way`,
            compared: 'turns',
            contestants: contestants.map((contestant, index) => ({
              name: contestant.name,
              version: contestant.version,
              ...(index === 0 ? { isOurs: true as const } : {}),
              figures: [
                { name: 'turns', unit: 'a second', samples: figure(contestant, ({ perSecond }) => perSecond) },
                { name: 'CPU of its processes, a turn', unit: 'µs', samples: figure(contestant, ({ own }) => own) },
                { name: 'of Postgres', unit: 'µs', samples: figure(contestant, (sample) => sample.postgres) },
              ],
            })),
          },
        ],
        headlines: [{ what: 'turns a second, each stored and answered by one token', figure: rate(ours), beside: peer === undefined ? '' : `${rate(peer)}, ${peer.name} + asyncpg` }],
        leftOut,
        remarks: ['The last two are this process alone: nobody is connected, nothing is asked of an engine, and their CPU time is all there is.'],
      }
    } finally {
      for (const stop of stops) await stop()
    }
  },
})

/** The first is ours. */
async function contest(postgres: PostgresServer, underWay: number, stops: (() => Promise<void>)[], leftOut: { name: string; why: string }[]): Promise<Contestant[]> {
  const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens, databaseUrls: [await postgres.createDatabase('cluster')] })
  stops.unshift(() => cluster.stop())
  const talkers = await connect(cluster.port, Math.ceil((underWay * conversationsPerTurn) / conversationsPerSocket))
  const resting = await converse(talkers, underWay * conversationsPerTurn)
  stops.unshift(async () => talkers.forEach(({ socket }) => socket.leave()))
  const ours: Contestant = {
    name: 'ChatterBot, over WebSocket',
    take: async (turns) => ({ turns, seconds: await takeTurns(resting, underWay, turns, replyTokens) }),
    cpu: () => total(cluster.serversCpu()),
  }

  const name = 'FastAPI + aiohttp'
  const fastapi = await startFastapi({ engineClient: 'aiohttp', engineUrl: cluster.engineUrl, databaseUrl: await postgres.createDatabase('fastapi') }).catch((error: unknown) => void leftOut.push({ name, why: String(error) }))
  if (fastapi) stops.unshift(() => fastapi.stop())

  const url = await postgres.createDatabase('store')
  const logger = createLogger({ level: 'warn', name: 'bench' })
  const storage = createPostgresStorage({ shards: evenShards([url]), node: 'bench', bootId: 'boot', logger, clock: systemClock })
  await storage.start()
  const pool = new pg.Pool({ connectionString: url, max: connections }).on('error', () => undefined)
  stops.unshift(async () => {
    await pool.end()
    await storage.stop()
    await logger.close()
  })
  const owned = await Promise.all(Array.from({ length: underWay }, () => ownConversation(storage.store)))
  const alone = (writer: Writer): Contestant => ({ name: `nobody connected: ${writer.name}`, take: (turns) => writeTurns(writer, owned, turns), cpu: () => (process.cpuUsage().user + process.cpuUsage().system) / 1e6 })
  return [
    ours,
    ...(fastapi
      ? [{ name, version: fastapi.version, take: (turns: number) => chat(fastapi.port, underWay, turns), cpu: () => cpuSeconds(fastapi.pid) }]
      : []),
    alone(groupCommit),
    alone(singleStatements(pool)),
  ]
}

async function chat(port: number, people: number, turns: number): Promise<Taken> {
  const began = performance.now()
  const { ms, failures } = await ask(port, specification, 'chat', { people, questionsEach: Math.ceil(turns / people), withinMs: 0, tokens: replyTokens })
  if (failures[0] !== undefined) throw new Error(`${failures.length} failed, one so: ${failures[0]}`)
  return { turns: ms.length, seconds: (performance.now() - began) / 1000 }
}

/** The three commits that a turn takes, each conversation one turn after the other. */
async function writeTurns(writer: Writer, owners: readonly Owned[], turns: number): Promise<Taken> {
  const began = performance.now()
  let left = turns
  await Promise.all(
    owners.map(async (owned) => {
      while (left > 0) {
        left -= 1
        const accept = acceptTurn(owned.id)
        await writer.accept(owned, accept)
        await writer.begin(owned, beginTurn(accept.turnId))
        await writer.end(owned, endTurn(accept.turnId, 1))
      }
    }),
  )
  return { turns, seconds: (performance.now() - began) / 1000 }
}
