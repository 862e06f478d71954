import type { Statement } from '../statement.ts'

/**
 * Grants, ends and promotions; null keeps what is stored, and so does a `started_at` that is. What they compare with
 * was read under the conversation's lock, which every writer of turns holds.
 * Parameters: an array for each column; times in milliseconds since the epoch.
 */
export const updateTurns: Statement = {
  name: 'update_turns',
  text: `
    UPDATE turns t SET
      state = w.state,
      attempt = coalesce(w.attempt, t.attempt),
      run = coalesce(w.run, t.run),
      bridge = coalesce(w.bridge, t.bridge),
      barren_grants = coalesce(w.barren_grants, t.barren_grants),
      started_at = coalesce(t.started_at, to_timestamp(w.started_at / 1000.0)),
      ended_at = to_timestamp(w.ended_at / 1000.0)
    FROM unnest($1::uuid[], $2::text[], $3::integer[], $4::integer[], $5::text[], $6::integer[], $7::bigint[], $8::bigint[])
      AS w (id, state, attempt, run, bridge, barren_grants, started_at, ended_at)
    WHERE t.id = w.id`,
}
