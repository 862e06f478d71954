/** What is done about conversations that have expired, and with what deleted ones leave behind. */
import { advisoryLocks } from '../advisory-locks.ts'
import type { Statement } from '../statement.ts'

const [lock1, lock2] = advisoryLocks.purge

/** For the transaction. */
export const tryPurgeLock: Statement = {
  name: 'try_purge_lock',
  text: `SELECT pg_try_advisory_xact_lock(${lock1}, ${lock2}) AS locked`,
}

/** Who reads the end of a turn must find it: its conversation stays for a minute after. */
const isAtRest = (id: string): string => `NOT EXISTS (
  SELECT FROM turns t WHERE t.conversation_id = ${id} AND (t.ended_at IS NULL OR t.ended_at > now() - interval '1 minute')
)`

/** Candidates, the first to expire first. Parameter: limit. */
export const expiredConversations: Statement = {
  name: 'expired_conversations',
  text: `
    SELECT e.conversation_id AS id
    FROM expiring_conversations e
    WHERE e.expires_at < now() AND ${isAtRest('e.conversation_id')}
    ORDER BY e.expires_at, e.conversation_id
    LIMIT $1`,
}

/**
 * As `deleteConversations`, of those that are at rest now. Follows `lockConversations` in its transaction, as every writer
 * of turns holds that lock. Parameter: array of conversation ids.
 */
export const deleteExpired: Statement = {
  name: 'delete_expired',
  text: `
    WITH due AS MATERIALIZED (
      SELECT e.expires_at, e.conversation_id AS id
      FROM expiring_conversations e
      WHERE e.expires_at < now() AND e.conversation_id = ANY ($1::bigint[]) AND ${isAtRest('e.conversation_id')}
    ), gone AS (
      DELETE FROM conversations c USING due WHERE c.id = due.id RETURNING c.id, c.message_floor
    ), kept AS (
      INSERT INTO deleted_conversations (id, message_floor, deleted_at) SELECT id, message_floor, now() FROM gone
    )
    DELETE FROM expiring_conversations e USING due WHERE e.expires_at = due.expires_at AND e.conversation_id = due.id`,
}

/** Deleted conversations that are looked after at a time. */
export const conversationsAtOnce = 100
const first = `SELECT d.id, d.message_floor FROM deleted_conversations d ORDER BY d.id LIMIT ${conversationsAtOnce}`

/** One row: how many messages and turns were removed. Parameter: how many of each, at most. */
export const removeRows: Statement = {
  name: 'remove_rows',
  text: `
    WITH doomed AS MATERIALIZED (${first}), messages_gone AS (
      DELETE FROM messages m USING (
        SELECT x.conversation_id, x.id
        FROM doomed CROSS JOIN LATERAL (SELECT m.conversation_id, m.id FROM messages m WHERE m.conversation_id = doomed.id AND m.id >= doomed.message_floor ORDER BY m.id LIMIT $1) x
        LIMIT $1
      ) batch
      WHERE m.conversation_id = batch.conversation_id AND m.id = batch.id
      RETURNING 1
    ), turns_gone AS (
      DELETE FROM turns t USING (
        SELECT x.id FROM doomed CROSS JOIN LATERAL (SELECT t.id FROM turns t WHERE t.conversation_id = doomed.id LIMIT $1) x LIMIT $1
      ) batch
      WHERE t.id = batch.id
      RETURNING 1
    ), letters_gone AS (
      DELETE FROM unsent_dead_letters u USING doomed WHERE u.conversation_id = doomed.id
    )
    SELECT (SELECT count(*) FROM messages_gone) AS messages, (SELECT count(*) FROM turns_gone) AS turns`,
}

/** Forgets those of which nothing is left. Gives their ids. */
export const forgetRemoved: Statement = {
  name: 'forget_removed',
  text: `
    DELETE FROM deleted_conversations d USING (${first}) doomed
    WHERE d.id = doomed.id
      AND NOT EXISTS (SELECT FROM messages m WHERE m.conversation_id = d.id AND m.id >= d.message_floor)
      AND NOT EXISTS (SELECT FROM turns t WHERE t.conversation_id = d.id)
    RETURNING d.id`,
}
