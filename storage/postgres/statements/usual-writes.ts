import type { Statement } from '../statement.ts'

const acceptColumns = {
  conversation_id: 'bigint', epoch: 'bigint', node: 'text', boot: 'text', turn_id: 'uuid', client_message_id: 'text', command_hash: 'bytea', parent_id: 'bigint', content: 'text', state: 'text', lane: 'text',
  model: 'text', params: 'jsonb', accepted_at: 'bigint', deadline_at: 'bigint', title: 'text',
} as const
const changeColumns = {
  conversation_id: 'bigint', epoch: 'bigint', node: 'text', boot: 'text', turn_id: 'uuid', run: 'integer', attempt: 'integer', state: 'text', bridge: 'text', barren_grants: 'integer', started_at: 'bigint',
  ended_at: 'bigint', cost_usd: 'double precision', cached: 'boolean', content: 'text', reason: 'text', model: 'text', error: 'jsonb', usage: 'jsonb', timing: 'jsonb',
} as const

const acceptCount = Object.keys(acceptColumns).length
const changeCount = Object.keys(changeColumns).length

/** In the order of the columns: `conversation_id, epoch, …`. */
export type UsualRow = readonly (string | number | boolean | Buffer | null)[]

/** As rows `w`, from the parameter `$first` on. */
function given(columns: Readonly<Record<string, string>>, first: number): string {
  const arrays = Object.values(columns).map((type, index) => `$${first + index}::${type}[]`)
  return `unnest(${arrays.join(', ')}) AS w (${Object.keys(columns).join(', ')})`
}

const fence = 'JOIN locked l ON l.id = w.conversation_id AND l.owner_epoch = w.epoch AND l.owner_node = w.node AND l.owner_boot = w.boot'

/** Of the two numbers the reply's is the higher. A conflict is of the turn's id, or of its client message id. */
const accepting = (first: number): string => `
    drawn AS MATERIALIZED (
      SELECT w.*, nextval('message_sequence') AS one, nextval('message_sequence') AS other FROM ${given(acceptColumns, first)} ${fence}
    ), accepted AS (
      INSERT INTO turns (id, conversation_id, client_message_id, command_hash, user_message_id, parent_id, reply_message_id, state, lane, model, params, accepted_at, deadline_at)
      SELECT d.turn_id, d.conversation_id, d.client_message_id, d.command_hash, least(d.one, d.other) * 1024 + d.conversation_id % 1024, d.parent_id,
        greatest(d.one, d.other) * 1024 + d.conversation_id % 1024, d.state, d.lane, d.model, d.params, to_timestamp(d.accepted_at / 1000.0), to_timestamp(d.deadline_at / 1000.0)
      FROM drawn d
      ON CONFLICT DO NOTHING
      RETURNING conversation_id, user_message_id, reply_message_id
    ), user_messages_added AS (
      INSERT INTO messages (conversation_id, id, parent_id, created_at, turn_id, role, content, client_message_id)
      SELECT a.conversation_id, a.user_message_id, d.parent_id, to_timestamp(d.accepted_at / 1000.0), d.turn_id, 'user', d.content, d.client_message_id
      FROM accepted a JOIN drawn d ON d.conversation_id = a.conversation_id
    ), conversations_used AS (
      UPDATE conversations c SET
        last_message_id = a.reply_message_id,
        updated_at = greatest(c.updated_at, to_timestamp(d.accepted_at / 1000.0)),
        title = coalesce(c.title, d.title)
      FROM accepted a JOIN drawn d ON d.conversation_id = a.conversation_id
      WHERE c.id = a.conversation_id
    )`

/** An end has a time of end; a grant, which may come with one, has a bridge. A grant follows the run before; whoever did not accept the turn leaves out run 1. */
const changing = (first: number): string => `
    owned AS MATERIALIZED (
      SELECT w.* FROM ${given(changeColumns, first)} ${fence}
    ), changed AS (
      UPDATE turns t SET
        state = w.state,
        attempt = w.attempt,
        run = w.run,
        bridge = coalesce(w.bridge, t.bridge),
        barren_grants = coalesce(w.barren_grants, t.barren_grants),
        started_at = coalesce(t.started_at, to_timestamp(w.started_at / 1000.0)),
        ended_at = to_timestamp(w.ended_at / 1000.0)
      FROM owned w
      WHERE t.id = w.turn_id AND t.conversation_id = w.conversation_id AND t.ended_at IS NULL
        AND CASE WHEN w.bridge IS NULL THEN t.run = w.run ELSE t.run = w.run - 1 OR (t.run = 0 AND w.run = 2) END
      RETURNING t.conversation_id, t.user_message_id, t.reply_message_id
    ), replies_added AS (
      INSERT INTO messages (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, reason, model, error, usage, timing)
      SELECT c.conversation_id, c.reply_message_id, c.user_message_id, to_timestamp(w.ended_at / 1000.0), w.cost_usd, w.turn_id, w.attempt, w.cached, 'assistant', w.content, w.reason, w.model, w.error, w.usage, w.timing
      FROM changed c JOIN owned w ON w.conversation_id = c.conversation_id
      WHERE w.ended_at IS NOT NULL
    )`

const locking = (ids: string): string => `
    WITH locked AS MATERIALIZED (
      SELECT id, owner_epoch, owner_node, owner_boot FROM conversations WHERE id = ANY (${ids}) ORDER BY id FOR NO KEY UPDATE
    ),`
const acceptedRows = 'SELECT conversation_id, user_message_id, reply_message_id FROM accepted'
const changedRows = 'SELECT conversation_id, NULL::bigint AS user_message_id, NULL::bigint AS reply_message_id FROM changed'

const usualAccepts: Statement = { name: 'usual_accepts', text: `${locking('$1::bigint[]')}${accepting(1)} ${acceptedRows}` }
const usualChanges: Statement = { name: 'usual_changes', text: `${locking('$1::bigint[]')}${changing(1)} ${changedRows}` }
const usualWrites: Statement = {
  name: 'usual_writes',
  text: `${locking(`$1::bigint[] || $${acceptCount + 1}::bigint[]`)}${accepting(1)},${changing(acceptCount + 1)} ${acceptedRows} UNION ALL ${changedRows}`,
}

/**
 * Accepts of new messages, begins and ends, no two of one conversation, in one statement that commits by itself: why it may,
 * stands in `usual-writes.ts` above. Gives a row for each that was made; of the others nothing was. Times are in
 * milliseconds since the epoch. A part that nobody needs is left out: Postgres would take 50 µs to find nothing to do.
 */
export function bindUsualWrites(accepts: readonly UsualRow[], changes: readonly UsualRow[]): { readonly statement: Statement; readonly values: readonly unknown[] } {
  if (changes.length === 0) return { statement: usualAccepts, values: arrays(accepts, acceptCount) }
  if (accepts.length === 0) return { statement: usualChanges, values: arrays(changes, changeCount) }
  return { statement: usualWrites, values: [...arrays(accepts, acceptCount), ...arrays(changes, changeCount)] }
}

function arrays(rows: readonly UsualRow[], count: number): unknown[] {
  return Array.from({ length: count }, (_, column) => rows.map((row) => row[column]))
}

export interface UsuallyWritten {
  readonly [column: string]: unknown
  readonly conversation_id: number
  /** Of an accept; null otherwise. */
  readonly user_message_id: number | null
  readonly reply_message_id: number | null
}
