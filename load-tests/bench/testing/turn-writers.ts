/** The writes of a turn, as the cluster's store makes them, and what it is measured against: each by one statement of its own, with the same fence and rows. */
import type pg from 'pg'
import type { AcceptTurn, BeginTurn, EndTurn } from '../../../storage/conversation-store.ts'
import type { Owned } from '../../../storage/testing/writes.ts'

export interface Writer {
  readonly name: string
  accept(owned: Owned, turn: AcceptTurn): Promise<void>
  begin(owned: Owned, turn: BeginTurn): Promise<void>
  end(owned: Owned, turn: EndTurn): Promise<void>
}

export const groupCommit: Writer = {
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

export const singleStatements = (pool: pg.Pool): Writer => ({
  name: 'a statement each',
  accept: async (owned, accept) => {
    const content = accept.user.type === 'new' ? accept.user.content : ''
    await one(
      pool,
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
      pool,
      'begin',
      `WITH ${fence} UPDATE turns SET state = 'running', run = $6, attempt = $7, bridge = $8, started_at = now() FROM fence WHERE turns.id = $5 AND ended_at IS NULL AND run = $6 - 1`,
      owned,
      [turnId, run, attempt, bridge],
    ),
  end: (owned, { turnId, run, attempt, content, usage, timing, model, costUsd }) =>
    one(
      pool,
      'end',
      `WITH ${fence},
        turn AS (UPDATE turns SET state = 'finished', attempt = $7, ended_at = now() FROM fence WHERE turns.id = $5 AND ended_at IS NULL AND run = $6 RETURNING turns.*)
      INSERT INTO messages (conversation_id, id, parent_id, created_at, cost_usd, turn_id, attempt, cached, role, content, reason, model, usage, timing)
      SELECT $1, reply_message_id, user_message_id, now(), $8, $5, $7, false, 'assistant', $9, 'stop', $10, $11, $12 FROM turn`,
      owned,
      [turnId, run, attempt, costUsd, content, model, JSON.stringify(usage), JSON.stringify(timing)],
    ),
})

async function one(pool: pg.Pool, name: string, sql: string, { id, token }: Owned, values: readonly unknown[]): Promise<void> {
  const { rowCount } = await pool.query({ name, text: sql, values: [id, token.epoch, token.node, token.bootId, ...values] })
  if (rowCount !== 1) throw new Error(`${name} changed ${rowCount} rows`)
}
