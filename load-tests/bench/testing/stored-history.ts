/**
 * Conversations as months of use leave them, written by SQL straight into the real schema: a partition a month, messages in
 * the order in which many conversations go on at once, and a finished turn for each question.
 */
import os from 'node:os'
import pg from 'pg'
import { systemClock } from '../../../platform/clock.ts'
import { createLogger } from '../../../platform/logging/logger.ts'
import { bucketOfUser, firstSequenceOfMonth, monthOf } from '../../../protocol/ids.ts'
import { evenShards } from '../../../storage/postgres/shard-map.ts'
import { createPostgresStorage } from '../../../storage/postgres/storage.ts'

export interface UsersHistory {
  readonly userIds: readonly string[]
  readonly conversationsEach: number
  /** Of a conversation, questions and replies in turn; even. */
  readonly messagesEach: number
}

export type ConversationsOf = ReadonlyMap<string, readonly number[]>

interface Stored {
  readonly userId: string
  /** The month it begins in, the oldest being 0. */
  readonly begins: number
  id: number
}

/** For `startPostgres`: what is acknowledged is on disk. */
export const postgresSettings = { fsync: 'on', full_page_writes: 'on', shared_buffers: '1GB', max_wal_size: '4GB', max_connections: '200' }

/** A conversation that fits into one goes on in no other. */
const leastMessagesAMonth = 20
/** Months. */
const toldAfter = 6
const messagesAStatement = 50_000

/** Fills an empty database with the months before this one, a connection a core, and says which are done. Resolves with each user's conversations. */
export async function fillDatabase(url: string, months: number, histories: readonly UsersHistory[], say: (progress: string) => void): Promise<ConversationsOf> {
  const current = monthOf(Date.now())
  const plans = histories.map((history) => planOf(history, months))
  const pool = new pg.Pool({ connectionString: url, max: os.availableParallelism(), options: '-c work_mem=256MB -c synchronous_commit=off' })
  try {
    for (let month = 0; month < months; month += 1) {
      await reachMonth(url, current - months + month)
      for (const { conversations, messagesEach, span, aMonth } of plans) {
        const conversationsAStatement = Math.max(1, Math.floor(messagesAStatement / aMonth))
        const from = [timeOf(current - months + month), firstSequenceOfMonth(current - months + month)]
        for (const some of chunks(conversations.filter(({ begins }) => begins === month), conversationsAStatement)) await create(pool, some, current - months + month)
        for (const [going, messages] of [
          [conversations.filter(({ begins }) => begins <= month && month < begins + span - 1), aMonth],
          [conversations.filter(({ begins }) => month === begins + span - 1), messagesEach - aMonth * (span - 1)],
        ] as const) {
          await Promise.all(chunks(going, conversationsAStatement).map((some) => pool.query(addMessages, [some.map(({ id }) => id), messages, ...from])))
        }
      }
      if ((month + 1) % toldAfter === 0) say(`${month + 1} of ${months} months are stored`)
    }
    await reachMonth(url, current)
    // What a database in use has had long since.
    await pool.query('VACUUM (ANALYZE)')
    await pool.query('CHECKPOINT')
  } finally {
    await pool.end()
  }
  const byUser = new Map<string, number[]>()
  for (const { userId, id } of plans.flatMap(({ conversations }) => conversations)) byUser.set(userId, [...(byUser.get(userId) ?? []), id])
  return byUser
}

function planOf({ userIds, conversationsEach, messagesEach }: UsersHistory, months: number) {
  const aMonth = Math.max(Math.min(leastMessagesAMonth, messagesEach), 2 * Math.ceil(messagesEach / months / 2))
  const span = Math.ceil(messagesEach / aMonth)
  const conversations: Stored[] = Array.from({ length: conversationsEach }, (_, n) => userIds.map((userId) => ({ userId, begins: n % (months - span + 1), id: 0 }))).flat()
  return { conversations, messagesEach, span, aMonth }
}

function timeOf(month: number): number {
  return Date.UTC(2025, month)
}

/** The schema, the partitions and the sequence as they are made when a month begins. */
async function reachMonth(url: string, month: number): Promise<void> {
  const logger = createLogger({ level: 'warn', name: 'bench' })
  const storage = createPostgresStorage({ shards: evenShards([url]), node: 'filler', bootId: `month-${month}`, logger, clock: { ...systemClock, now: () => timeOf(month) } })
  await storage.start()
  await storage.stop()
  await logger.close()
}

async function create(pool: pg.Pool, conversations: readonly Stored[], month: number): Promise<void> {
  const { rows } = await pool.query<{ id: string }>(
    `INSERT INTO conversations (id, message_floor, created_at, updated_at, user_id, title)
      SELECT nextval('conversation_sequence') * 1024 + w.bucket, (SELECT last_value FROM message_sequence) * 1024, to_timestamp($3 / 1000.0), to_timestamp($3 / 1000.0), w.user_id, 'What was talked about'
      FROM unnest($1::text[], $2::integer[]) WITH ORDINALITY AS w (user_id, bucket, n)
      ORDER BY w.n
      RETURNING id`,
    [conversations.map(({ userId }) => userId), conversations.map(({ userId }) => bucketOfUser(userId)), timeOf(month)],
  )
  for (const [index, { id }] of rows.entries()) (conversations[index] as Stored).id = Number(id)
}

/**
 * Each conversation's next messages, as its children; a millisecond passes with each that anybody says. A question has 100
 * characters, a reply 500.
 * Parameters: array of conversation ids; how many each; the month's begin in milliseconds since the epoch; its first sequence.
 */
const addMessages = `
  WITH drawn AS MATERIALIZED (
    SELECT conversation_id, last_message_id, n, nextval('message_sequence') * 1024 + conversation_id % 1024 AS id
    FROM (
      SELECT c.id AS conversation_id, c.last_message_id, n
      FROM generate_series(1, $2::integer) n CROSS JOIN conversations c
      WHERE c.id = ANY ($1::bigint[])
      ORDER BY n, c.id
    ) said
  ), linked AS MATERIALIZED (
    SELECT *,
      lag(id, 1, last_message_id) OVER conversation AS parent_id,
      CASE WHEN n % 2 = 1 THEN id ELSE lag(id) OVER conversation END AS question_id,
      lead(id) OVER conversation AS reply_id
    FROM drawn
    WINDOW conversation AS (PARTITION BY conversation_id ORDER BY n)
  ), told AS MATERIALIZED (
    SELECT *,
      $3::bigint + question_id / 1024 - $4::bigint AS ms,
      (lpad(to_hex($3::bigint + question_id / 1024 - $4::bigint), 12, '0') || '7' || lpad(to_hex(conversation_id % 1024 * 4), 3, '0') || '8' || lpad(to_hex(question_id), 15, '0'))::uuid AS turn_id
    FROM linked
  ), turns_added AS (
    INSERT INTO turns (id, conversation_id, user_message_id, parent_id, reply_message_id, accepted_at, deadline_at, started_at, ended_at, run, state, lane, client_message_id, bridge, command_hash, params)
    SELECT turn_id, conversation_id, id, parent_id, reply_id, to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0) + interval '1 hour', to_timestamp(ms / 1000.0), to_timestamp(ms / 1000.0),
      1, 'finished', 'standard', 'said-' || id, 'bridge-1', sha256(int8send(id)), '{}'
    FROM told
    WHERE n % 2 = 1
    ORDER BY id
  ), moved AS (
    UPDATE conversations c SET last_message_id = newest.id, updated_at = to_timestamp(newest.ms / 1000.0)
    FROM (SELECT DISTINCT ON (conversation_id) conversation_id, id, ms FROM told ORDER BY conversation_id, n DESC) newest
    WHERE c.id = newest.conversation_id
  )
  INSERT INTO messages (conversation_id, id, parent_id, created_at, turn_id, role, content, client_message_id, attempt, cached, cost_usd, reason, model, usage, timing)
  SELECT conversation_id, id, parent_id, to_timestamp(ms / 1000.0), turn_id, 'user', rpad('What about ' || id || '? ', 100, 'and then '), 'said-' || id, NULL::integer, NULL::boolean, NULL::double precision, NULL, NULL, NULL::jsonb, NULL::jsonb
  FROM told WHERE n % 2 = 1
  UNION ALL
  SELECT conversation_id, id, parent_id, to_timestamp(ms / 1000.0), turn_id, 'assistant', rpad('About ' || id || ': ', 500, 'it is as it is, and '), NULL, 1, false, 0.0001, 'stop', 'simulated',
    '{"prompt_tokens": 30, "completion_tokens": 120}', '{"queue_ms": 1, "ttft_ms": 50, "total_ms": 2500}'
  FROM told WHERE n % 2 = 0
  ORDER BY id`

function chunks<T>(items: readonly T[], size: number): (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, n) => items.slice(n * size, (n + 1) * size))
}
