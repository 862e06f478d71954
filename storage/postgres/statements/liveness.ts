/** Signs of life of this process, by the server's clock. Parameters: node, boot id. */
import type { Statement } from '../statement.ts'

/** Its first: an earlier process of the same name is dead from now on. */
export const firstSign: Statement = {
  name: 'first_sign_of_life',
  text: `
    WITH before AS (DELETE FROM nodes WHERE node = $1 AND boot_id <> $2)
    INSERT INTO nodes (node, boot_id, seen_at) VALUES ($1, $2, clock_timestamp())
    ON CONFLICT (node, boot_id) DO UPDATE SET seen_at = excluded.seen_at`,
}

const withoutLongDead = `dead AS (DELETE FROM nodes WHERE seen_at < clock_timestamp() - interval '1 day' AND NOT (node = $1 AND boot_id = $2))`
const sign = `
      INSERT INTO nodes (node, boot_id, seen_at) VALUES ($1, $2, clock_timestamp())
      ON CONFLICT (node, boot_id) DO UPDATE SET seen_at = excluded.seen_at`
/**
 * Which database this is, and which course of its history: a failover begins a new timeline, and may have forgotten what
 * was committed on the one before. Read from the log's position, as the last checkpoint may be of the timeline before.
 */
const timeline = `
    SELECT (SELECT system_identifier FROM pg_control_system())::text AS system,
      (SELECT oid FROM pg_database WHERE datname = current_database())::text AS database,
      substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) AS timeline`

/** Long-dead nodes go as well. */
export const nextSign: Statement = {
  name: 'next_sign_of_life',
  text: `WITH ${withoutLongDead} ${sign}`,
}

/** The same, with what `databaseTimeline` tells. */
export const nextSignWithTimeline: Statement = {
  name: 'next_sign_of_life_with_timeline',
  text: `WITH ${withoutLongDead}, sign AS (${sign}) ${timeline}`,
}

export const lastSign: Statement = {
  name: 'last_sign_of_life',
  text: 'DELETE FROM nodes WHERE node = $1 AND boot_id = $2',
}

export const databaseTimeline: Statement = { name: 'database_timeline', text: timeline }
