import type { Statement } from '../statement.ts'

/** Takes a few of those along that nobody came with, so that the table stays as small as half a minute's tickets. Parameters: hash, holder, milliseconds. */
export const keepTicket: Statement = {
  name: 'keep_ticket',
  text: `
    WITH unused AS (
      DELETE FROM tickets WHERE hash IN (SELECT hash FROM tickets WHERE expires_at < now() ORDER BY expires_at LIMIT 4 FOR UPDATE SKIP LOCKED)
    )
    INSERT INTO tickets (hash, expires_at, holder) VALUES ($1, now() + $3::bigint * interval '1 millisecond', $2::jsonb)`,
}

/** Whoever deletes the row has it: so it is given once, whichever edges ask. Parameter: hash. */
export const takeTicket: Statement = {
  name: 'take_ticket',
  text: 'DELETE FROM tickets WHERE hash = $1 RETURNING CASE WHEN expires_at > now() THEN holder END AS holder',
}
