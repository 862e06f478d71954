/**
 * Months of messages. A month is a range of ids known ahead: `month * 2^33 * 1024` and what follows, so that the
 * partition of an id never depends on the clock of who drew it. The sequence follows the calendar: when a month begins
 * it is moved to the month's first value, once, and only upwards.
 */
import { bucketCount, firstSequenceOfMonth } from '../../protocol/ids.ts'
import { advisoryLocks } from './advisory-locks.ts'
import type { Client } from './pool.ts'
import { pipeline, type Shard } from './shard.ts'

/** Made ahead, beyond the current month. */
const monthsAhead = 2
const sequencesOfMonth = firstSequenceOfMonth(1)
/** Of a process's clock before the server's: a wrong clock must not spend months of ids. */
const clockToleranceMonths = 1

const [lock1, lock2] = advisoryLocks.messagePartitions
const begin = ['BEGIN', `SELECT pg_advisory_xact_lock(${lock1}, ${lock2})`, `SET LOCAL lock_timeout = '2s'`].map((statement) => ({ statement }))

const position = {
  name: 'message_sequence_position',
  text: `SELECT
    (SELECT last_value FROM message_sequence) AS sequence,
    ((extract(year FROM now() AT TIME ZONE 'UTC') - 2025) * 12 + extract(month FROM now() AT TIME ZONE 'UTC') - 1)::integer AS server_month,
    coalesce((SELECT array_agg(c.relname::text) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'messages'::regclass), '{}') AS partitions`,
}

interface Position {
  readonly sequence: number
  readonly server_month: number
  readonly partitions: readonly string[]
}

export function partitionName(month: number): string {
  return `messages_${2025 + Math.floor(month / 12)}_${String((month % 12) + 1).padStart(2, '0')}`
}

/**
 * Makes the partitions that are missing up to two months ahead, then moves the sequence to `month` if it is behind.
 * Idempotent, and safe from any number of processes at once. Reads only, where nothing is to be done.
 */
export async function keepMessagePartitions(shard: Shard, month: number): Promise<void> {
  const [now] = await shard.read<Position & Record<string, unknown>>(position, [])
  if (now === undefined || !isDue(now, month)) return
  await shard.withClient((client) => makePartitions(client, month))
  // In a transaction of its own: setval does not roll back, so the partitions must be committed before it.
  await shard.withClient((client) => moveSequence(client, month))
}

function isDue(now: Position, month: number): boolean {
  return missingMonths(now, month).length > 0 || now.sequence < firstSequenceOfMonth(target(now, month))
}

/** The month to be in: never behind the sequence's own, as that only rises. */
function target({ server_month, sequence }: Position, month: number): number {
  return Math.max(Math.min(month, server_month + clockToleranceMonths), Math.floor(sequence / sequencesOfMonth))
}

function missingMonths(now: Position, month: number): number[] {
  const current = target(now, month)
  return Array.from({ length: monthsAhead + 1 }, (_, ahead) => current + ahead).filter((each) => !now.partitions.includes(partitionName(each)))
}

async function makePartitions(client: Client, month: number): Promise<void> {
  await pipeline(client, begin)
  const now = await readPosition(client)
  for (const missing of missingMonths(now, month)) {
    const name = partitionName(missing)
    const [from, to] = [missing, missing + 1].map((each) => firstSequenceOfMonth(each) * bucketCount)
    // Attaching takes a lock that lets reads and writes go on; CREATE TABLE ... PARTITION OF would not.
    await pipeline(client, [
      { statement: `CREATE TABLE ${name} (LIKE messages INCLUDING ALL)` },
      { statement: `ALTER TABLE messages ATTACH PARTITION ${name} FOR VALUES FROM (${from}) TO (${to})` },
    ])
  }
  await client.query('COMMIT')
}

async function moveSequence(client: Client, month: number): Promise<void> {
  await pipeline(client, begin)
  const now = await readPosition(client)
  const first = firstSequenceOfMonth(target(now, month))
  // Not below what was given out: a value drawn meanwhile is lower than `first`, as nobody else may move the sequence.
  if (now.sequence < first) await client.query(`SELECT setval('message_sequence', $1::bigint, false)`, [first])
  await client.query('COMMIT')
}

async function readPosition(client: Client): Promise<Position> {
  const { rows } = await client.query<Position & Record<string, unknown>>(position)
  return rows[0] as Position
}
