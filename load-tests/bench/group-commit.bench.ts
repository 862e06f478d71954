/**
 * The writes of a turn (accept, begin, end) by 1, 64 and 512 conversations at once: group commit, beside a peer that
 * makes each write by one statement of its own, with the same fence and rows, over a pool of ten connections. Both on one
 * Postgres with fsync, in turn, round after round; rows are counted at the end. CPU time of the server is read from
 * /proc, on Linux only.
 *
 *     npm run build && node dist/load-tests/bench/group-commit.bench.js [rounds]
 */
import { readdirSync, readFileSync } from 'node:fs'
import { setImmediate as nextTurn } from 'node:timers/promises'
import pg from 'pg'
import { systemClock } from '../../platform/clock.ts'
import { createLogger } from '../../platform/logging/logger.ts'
import type { AcceptTurn, BeginTurn, EndTurn } from '../../storage/conversation-store.ts'
import { evenShards } from '../../storage/postgres/shard-map.ts'
import { createPostgresStorage } from '../../storage/postgres/storage.ts'
import { acceptTurn, beginTurn, endTurn, ownConversation, type Owned } from '../../storage/testing/writes.ts'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { spread } from './measure.ts'

const rounds = Number(process.argv[2] ?? 5)
const writesPerTurn = 3
/** Conversations at once, and turns of each a round. The largest first: one conversation alone does not warm the code up. */
const loads = [
  { actors: 512, turns: 3 },
  { actors: 64, turns: 10 },
  { actors: 1, turns: 150 },
] as const

const text = 'A reply of ordinary length, as models write them. '.repeat(16)

interface Writer {
  readonly name: string
  accept(owned: Owned, turn: AcceptTurn): Promise<void>
  begin(owned: Owned, turn: BeginTurn): Promise<void>
  end(owned: Owned, turn: EndTurn): Promise<void>
}

const logger = createLogger({ level: 'warn', name: 'bench' })
const postgres = await startPostgres(undefined, { fsync: 'on', full_page_writes: 'on', shared_buffers: '256MB', max_wal_size: '4GB' })
const url = await postgres.createDatabase('bench')
const storage = createPostgresStorage({ shards: evenShards([url]), node: 'bench', bootId: 'boot', logger, clock: systemClock })
await storage.start()
const pool = new pg.Pool({ connectionString: url, max: 10 }).on('error', () => {})

const groupCommit: Writer = {
  name: 'group commit',
  accept: async (owned, accept) => committed(await owned.write({ accept })),
  begin: async (owned, begin) => committed(await owned.write({ begin })),
  end: async (owned, end) => committed(await owned.write({ ends: [end] })),
}

function committed(result: { readonly status: string }): void {
  if (result.status !== 'committed') throw new Error(result.status)
}

/** Locks the conversation where the token is the owner's. */
const fence = 'fence AS MATERIALIZED (SELECT id FROM conversations WHERE id = $1 AND owner_epoch = $2 AND owner_node = $3 AND owner_boot = $4 FOR NO KEY UPDATE)'

const singleStatements: Writer = {
  name: 'a statement each',
  accept: async (owned, accept) => {
    const content = accept.user.type === 'new' ? accept.user.content : ''
    await one(
      'accept',
      `WITH ${fence},
        ids AS MATERIALIZED (SELECT nextval('message_sequence') AS first, nextval('message_sequence') AS second FROM fence),
        turn AS (
          INSERT INTO turns (id, conversation_id, client_message_id, command_hash, user_message_id, reply_message_id, state, lane, params, accepted_at, deadline_at)
          SELECT $5, $1, $6, $7, first * 1024 + $1 % 1024, second * 1024 + $1 % 1024, 'queued', 'standard', $8, now(), now() FROM ids
        ),
        message AS (
          INSERT INTO messages (conversation_id, id, created_at, turn_id, role, content, client_message_id)
          SELECT $1, first * 1024 + $1 % 1024, now(), $5, 'user', $9, $6 FROM ids
        )
      UPDATE conversations SET last_message_id = second * 1024 + $1 % 1024, updated_at = now() FROM ids WHERE id = $1`,
      owned,
      [accept.turnId, accept.clientMessageId, Buffer.from(accept.commandHash), JSON.stringify(accept.params), content],
    )
  },
  begin: (owned, { turnId, run, attempt, bridge }) =>
    one(
      'begin',
      `WITH ${fence} UPDATE turns SET state = 'running', run = $6, attempt = $7, bridge = $8, started_at = now() FROM fence WHERE turns.id = $5 AND ended_at IS NULL AND run = $6 - 1`,
      owned,
      [turnId, run, attempt, bridge],
    ),
  end: (owned, { turnId, run, attempt, content, usage, timing, model, costUsd }) =>
    one(
      'end',
      `WITH ${fence},
        turn AS (UPDATE turns SET state = 'finished', attempt = $7, ended_at = now() FROM fence WHERE turns.id = $5 AND ended_at IS NULL AND run = $6 RETURNING turns.*)
      INSERT INTO messages (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, reason, model, usage, timing)
      SELECT $1, reply_message_id, user_message_id, now(), $8, $5, $7, false, 'assistant', $9, 'stop', $10, $11, $12 FROM turn`,
      owned,
      [turnId, run, attempt, costUsd, content, model, JSON.stringify(usage), JSON.stringify(timing)],
    ),
}

async function one(name: string, sql: string, { id, token }: Owned, values: readonly unknown[]): Promise<void> {
  const { rowCount } = await pool.query({ name, text: sql, values: [id, token.epoch, token.node, token.bootId, ...values] })
  if (rowCount !== 1) throw new Error(`${name} changed ${rowCount} rows`)
}

interface Sample {
  readonly writesPerSecond: number
  readonly ownMicroseconds: number
  readonly serverMicroseconds: number
  readonly latencyMs: number
}

async function round(writer: Writer, owners: readonly Owned[], turns: number): Promise<Sample> {
  await nextTurn()
  const writes = owners.length * turns * writesPerTurn
  const before = { at: performance.now(), cpu: process.cpuUsage(), server: serverCpuSeconds() }
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
    serverMicroseconds: ((serverCpuSeconds() - before.server) * 1e6) / writes,
    latencyMs: spread(latencies).median,
  }
}

/** Of the postmaster and its children, ended ones included; 0 where there is no /proc. */
function serverCpuSeconds(): number {
  if (process.platform !== 'linux') return 0
  const { pid } = postgres
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

const lines = [
  '### Writes of turns on one Postgres',
  '',
  '| conversations | writer | writes/s | range | ratio | latency ms | µs of CPU a write: own | ratio | Postgres | ratio |',
  '|---|---|---|---|---|---|---|---|---|---|',
]
const median = (samples: readonly Sample[], field: keyof Sample): number => spread(samples.map((sample) => sample[field])).median
const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
let turnsWritten = 0

for (const { actors, turns } of loads) {
  const owners = await Promise.all(Array.from({ length: actors }, () => ownConversation(storage.store)))
  const writers = [groupCommit, singleStatements]
  const samples = new Map<Writer, Sample[]>(writers.map((writer) => [writer, []]))
  for (let n = -1; n < rounds; n += 1) {
    for (const writer of writers) {
      const sample = await round(writer, owners, turns)
      turnsWritten += actors * turns
      // The first round warms up.
      if (n >= 0) samples.get(writer)?.push(sample)
    }
  }
  const peer = samples.get(singleStatements) ?? []
  for (const [writer, own] of samples) {
    const ratio = (field: keyof Sample): string => (writer === singleStatements ? '' : figure(median(own, field) / median(peer, field)))
    const rates = spread(own.map(({ writesPerSecond }) => writesPerSecond))
    lines.push(
      `| ${actors} | ${writer.name} | ${figure(rates.median)} | ${figure(rates.min)} to ${figure(rates.max)} | ${ratio('writesPerSecond')} | ${figure(median(own, 'latencyMs'))} | ` +
        `${figure(median(own, 'ownMicroseconds'))} | ${ratio('ownMicroseconds')} | ${figure(median(own, 'serverMicroseconds'))} | ${ratio('serverMicroseconds')} |`,
    )
  }
}

const { rows } = await pool.query<{ turns: string; messages: string }>(
  `SELECT (SELECT count(*) FROM turns WHERE state = 'finished') AS turns, (SELECT count(*) FROM messages) AS messages`,
)
if (Number(rows[0]?.turns) !== turnsWritten || Number(rows[0]?.messages) !== turnsWritten * 2) throw new Error(`${turnsWritten} turns written, found ${JSON.stringify(rows[0])}`)
process.stdout.write(`${lines.join('\n')}\n`)
await pool.end()
await storage.stop()
await postgres.stop()
await logger.close()
