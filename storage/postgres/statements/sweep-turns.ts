import { advisoryLocks } from '../advisory-locks.ts'
import { turnColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

/**
 * Nothing where another process is sweeping. An owner is alive as a claim would find it, though read without its lock.
 * Parameters: time in milliseconds since the epoch, limit.
 */
export const sweepTurns: Statement = {
  name: 'sweep_turns',
  text: `
    WITH mine AS MATERIALIZED (SELECT pg_try_advisory_xact_lock(${advisoryLocks.sweep[0]}, ${advisoryLocks.sweep[1]}) AS locked)
    SELECT ${turnColumns}, n.node AS live_owner
    FROM mine, turns t JOIN conversations c ON c.id = t.conversation_id
      LEFT JOIN nodes n ON n.node = c.owner_node AND n.boot_id = c.owner_boot
        AND n.seen_at BETWEEN clock_timestamp() - interval '5 seconds' AND clock_timestamp() + interval '5 seconds'
    WHERE mine.locked AND t.ended_at IS NULL AND t.state IN ('queued', 'running') AND t.accepted_at < to_timestamp($1::bigint / 1000.0)
    ORDER BY t.accepted_at, t.id
    LIMIT $2`,
}
