/**
 * Pages of history, read along the primary key and only as far as they go: what a page costs does not grow with the
 * number of messages. `found` tells how many rows there were before the limits, one more than the limit at most.
 */
import { messageColumns } from '../rows.ts'
import type { Statement } from '../statement.ts'

const withinLimits = (direction: 'ASC' | 'DESC', rows: string): string => `
  SELECT *
  FROM (
    SELECT m.*, count(*) OVER () AS found, row_number() OVER running AS position, sum(octet_length(m.content)) OVER running AS bytes
    FROM (${rows}) m
    WINDOW running AS (ORDER BY m.id ${direction})
  ) page
  WHERE position <= $3::bigint AND (position = 1 OR bytes <= $4::bigint)
  ORDER BY id`

/** The newest below an id. Parameters: conversation id, the id, limit, bytes. */
export const messagesBefore: Statement = {
  name: 'messages_before',
  text: withinLimits('DESC', `
    SELECT ${messageColumns}
    FROM messages m
    WHERE m.conversation_id = $1 AND m.id < $2 AND m.id >= (SELECT message_floor FROM conversations WHERE id = $1)
    ORDER BY m.id DESC
    LIMIT $3::bigint + 1`),
}

/** The oldest above an id. Parameters: conversation id, the id, limit, bytes. */
export const messagesAfter: Statement = {
  name: 'messages_after',
  text: withinLimits('ASC', `
    SELECT ${messageColumns}
    FROM messages m
    WHERE m.conversation_id = $1 AND m.id > $2
      AND m.id BETWEEN (SELECT message_floor FROM conversations WHERE id = $1) AND (SELECT last_message_id FROM conversations WHERE id = $1)
    ORDER BY m.id
    LIMIT $3::bigint + 1`),
}

/**
 * A message and its ancestors, the oldest first. Goes one message beyond the bytes, which tells that there is more.
 * Parameters: conversation id, the leaf, limit, bytes.
 */
export const messagePath: Statement = {
  name: 'message_path',
  text: `
    WITH RECURSIVE path AS (
      SELECT ${messageColumns}, 1 AS position, octet_length(m.content)::bigint AS bytes
      FROM messages m
      WHERE m.conversation_id = $1 AND m.id = $2
      UNION ALL
      SELECT parent.*, path.position + 1, path.bytes + octet_length(parent.content)
      FROM path CROSS JOIN LATERAL (
        SELECT ${messageColumns} FROM messages m WHERE m.conversation_id = $1 AND m.id = path.parent_id LIMIT 1
      ) parent
      WHERE path.position < $3 AND path.bytes < $4
    )
    SELECT * FROM path ORDER BY position DESC`,
}

export interface PageRow {
  readonly found: number
}

export interface PathRow {
  readonly position: number
  readonly bytes: number
}
