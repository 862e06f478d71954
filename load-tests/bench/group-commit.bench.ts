/**
 * The writes of a turn (accept, begin, end) by 1, 64 and 512 conversations at once: group commit, beside a peer that
 * makes each write by one statement of its own, with the same fence and rows, over a pool of ten connections. Both on one
 * Postgres with fsync, in turn, round after round; rows are counted at the end. CPU time of the server is read from
 * /proc, on Linux only.
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import pg from 'pg'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import { evenShards } from '../../storage/postgres/shard-map.ts'
import { createPostgresStorage } from '../../storage/postgres/storage.ts'
import { acceptTurn, beginTurn, endTurn, ownConversation, type Owned } from '../../storage/testing/writes.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { headline } from './headlines.ts'
import { spread } from './measure.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'
import { groupCommit, singleStatements, type Writer } from './testing/turn-writers.ts'

const writesPerTurn = 3
/** Conversations at once, and turns of each a round. The largest first: one conversation alone does not warm the code up. */
const loads = [
  { actors: 512, turns: 3 },
  { actors: 64, turns: 10 },
  { actors: 1, turns: 150 },
] as const

const text = 'A reply of ordinary length, as models write them. '.repeat(16)

interface Sample {
  readonly writesPerSecond: number
  readonly ownMicroseconds: number
  readonly serverMicroseconds: number
  readonly latencyMs: number
}

async function round(writer: Writer, owners: readonly Owned[], turns: number, postgresPid: number): Promise<Sample> {
  await nextTurn()
  const writes = owners.length * turns * writesPerTurn
  const before = { at: performance.now(), cpu: process.cpuUsage(), server: serverCpuSeconds(postgresPid) }
  const latencies: number[] = []
  const timed = async (write: Promise<void>): Promise<void> => {
    const began = performance.now()
    await write
    latencies.push(performance.now() - began)
  }
  await Promise.all(
    owners.map(async (owned) => {
      for (let n = 0; n < turns; n += 1) {
        const accept = acceptTurn(owned.id, { content: 'What is it like to be a benchmark?' })
        await timed(writer.accept(owned, accept))
        await timed(writer.begin(owned, beginTurn(accept.turnId)))
        await timed(writer.end(owned, endTurn(accept.turnId, 1, text)))
      }
    }),
  )
  const seconds = (performance.now() - before.at) / 1000
  const { user, system } = process.cpuUsage(before.cpu)
  return {
    writesPerSecond: writes / seconds,
    ownMicroseconds: (user + system) / writes,
    serverMicroseconds: ((serverCpuSeconds(postgresPid) - before.server) * 1e6) / writes,
    latencyMs: spread(latencies).median,
  }
}

/** Of the postmaster and its children, ended ones included; 0 where there is no /proc. */
function serverCpuSeconds(pid: number): number {
  if (process.platform !== 'linux') return 0
  const ids = [pid, ...readdirSync(`/proc/${pid}/task`).flatMap((task) => readFileSync(`/proc/${pid}/task/${task}/children`, 'utf8').split(' ').filter(Boolean).map(Number))]
  return ids.reduce((sum, id) => sum + cpuTicks(id, id === pid) / 100, 0)
}

function cpuTicks(pid: number, withEndedChildren: boolean): number {
  try {
    const fields = (readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1] ?? '').split(' ').map(Number)
    return (fields[11] ?? 0) + (fields[12] ?? 0) + (withEndedChildren ? (fields[13] ?? 0) + (fields[14] ?? 0) : 0)
  } catch {
    // It ended while it was looked at: its time is among the postmaster's ended children soon.
    return 0
  }
}

async function measure(writers: readonly Writer[], store: ConversationStore, { actors, turns }: (typeof loads)[number], rounds: number, postgresPid: number): Promise<Table> {
  const owners = await Promise.all(Array.from({ length: actors }, () => ownConversation(store)))
  const measured = writers.map((writer) => ({ writer, samples: [] as Sample[] }))
  for (let n = -1; n < rounds; n += 1) {
    for (const { writer, samples } of measured) {
      const sample = await round(writer, owners, turns, postgresPid)
      // The first round warms up.
      if (n >= 0) samples.push(sample)
    }
  }
  return {
    title: `${actors} ${actors === 1 ? 'conversation' : 'conversations'} at once`,
    compared: 'writes a second',
    contestants: measured.map(({ writer, samples }) => ({
      name: writer.name,
      ...(writer === groupCommit ? { isOurs: true as const } : {}),
      figures: [
        { name: 'writes a second', unit: '', samples: samples.map(({ writesPerSecond }) => writesPerSecond) },
        { name: 'time of a write', unit: 'ms', samples: samples.map(({ latencyMs }) => latencyMs) },
        { name: 'CPU a write', unit: 'µs', samples: samples.map(({ ownMicroseconds }) => ownMicroseconds) },
        { name: 'of Postgres', unit: 'µs', samples: samples.map(({ serverMicroseconds }) => serverMicroseconds) },
      ],
    })),
  }
}

await runBenchmark({
  name: 'group-commit',
  title: 'Writes of turns on one Postgres',
  question: 'How many of the writes that turns are made of does one Postgres take, in groups and one by one?',
  options: { rounds: { default: 5, quick: 2, help: 'of each writer' } },
  run: async ({ rounds }, say) => {
    const logger = createLogger({ level: 'warn', name: 'bench' })
    const postgres = await startPostgres(undefined, { fsync: 'on', full_page_writes: 'on', shared_buffers: '256MB', max_wal_size: '4GB' })
    const url = await postgres.createDatabase('bench')
    const storage = createPostgresStorage({ shards: evenShards([url]), node: 'bench', bootId: 'boot', logger, clock: systemClock })
    const pool = new pg.Pool({ connectionString: url, max: 10 }).on('error', () => {})
    try {
      await storage.start()
      const writers = [groupCommit, singleStatements(pool)]
      const tables: Table[] = []
      let expected = 0
      for (const load of loads) {
        say(`${load.actors} at once`)
        tables.push(await measure(writers, storage.store, load, rounds, postgres.pid))
        expected += load.actors * load.turns * writers.length * (rounds + 1)
      }
      const { rows } = await pool.query<{ turns: string; messages: string }>(
        `SELECT (SELECT count(*) FROM turns WHERE state = 'finished') AS turns, (SELECT count(*) FROM messages) AS messages`,
      )
      if (Number(rows[0]?.turns) !== expected || Number(rows[0]?.messages) !== expected * 2) throw new Error(`${expected} turns written, found ${JSON.stringify(rows[0])}`)
      const [many, , one] = tables as [Table, Table, Table]
      return { tables, headlines: [headline('writes of turns a second on one Postgres, 512 conversations', many, 'a statement each'), headline('the same, one conversation alone', one, 'a statement each')] }
    } finally {
      await pool.end()
      await storage.stop()
      await postgres.stop()
      await logger.close()
    }
  },
})
