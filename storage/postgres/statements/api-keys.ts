import type { ApiKey } from '../../credential-store.ts'
import type { Statement } from '../statement.ts'

export interface StoredApiKey {
  readonly [column: string]: unknown
  readonly id: string
  readonly name: string
  readonly user_id: string | null
  readonly acts_for_others: boolean
  readonly permissions: readonly string[]
  readonly plan: string
  readonly secret_hash: Buffer
  readonly previous_hash: Buffer | null
  readonly previous_until: Date | null
  readonly created_at: Date
  readonly expires_at: Date | null
  readonly revoked_at: Date | null
  readonly last_used_at: Date | null
}

const columns = 'id, name, user_id, acts_for_others, permissions, plan, secret_hash, previous_hash, previous_until, created_at, expires_at, revoked_at, last_used_at'

/** Parameters: id, name, user id, may act for others, permissions, plan, milliseconds since the epoch that it expires at, hash. */
export const createApiKey: Statement = {
  name: 'create_api_key',
  text: `
    INSERT INTO api_keys (id, name, user_id, acts_for_others, permissions, plan, expires_at, secret_hash, created_at)
    VALUES ($1, $2, $3, $4, $5::text[], $6, to_timestamp($7::bigint / 1000.0), $8, date_trunc('milliseconds', now()))
    RETURNING ${columns}`,
}

export const apiKeyById: Statement = {
  name: 'api_key_by_id',
  text: `SELECT ${columns} FROM api_keys WHERE id = $1`,
}

/** Parameters: milliseconds since the epoch and id of the last one of the page before, or null; limit. The table is small, and read by people. */
export const listApiKeys: Statement = {
  name: 'list_api_keys',
  text: `
    SELECT ${columns} FROM api_keys
    WHERE $2::text IS NULL OR (created_at, id) < (to_timestamp($1::bigint / 1000.0), $2::text)
    ORDER BY created_at DESC, id DESC
    LIMIT $3`,
}

/** Parameters: id, hash, milliseconds. */
export const rotateApiKey: Statement = {
  name: 'rotate_api_key',
  text: `
    UPDATE api_keys
    SET previous_hash = secret_hash, previous_until = date_trunc('milliseconds', now()) + $3::bigint * interval '1 millisecond', secret_hash = $2
    WHERE id = $1 AND revoked_at IS NULL
    RETURNING ${columns}`,
}

export const revokeApiKey: Statement = {
  name: 'revoke_api_key',
  text: `UPDATE api_keys SET revoked_at = coalesce(revoked_at, date_trunc('milliseconds', now())) WHERE id = $1 RETURNING ${columns}`,
}

/** Parameter: ids. */
export const holdingApiKeys: Statement = {
  name: 'holding_api_keys',
  text: `SELECT id FROM api_keys WHERE id = ANY($1::text[]) AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
}

/** Parameters: ids, milliseconds since the epoch. Rows are locked in the order of their ids, whoever else writes them. */
export const noteApiKeyUse: Statement = {
  name: 'note_api_key_use',
  text: `
    WITH used AS (
      SELECT k.id, to_timestamp(u.used_at / 1000.0) AS used_at
      FROM unnest($1::text[], $2::bigint[]) AS u (id, used_at) JOIN api_keys k ON k.id = u.id
      ORDER BY k.id
      FOR NO KEY UPDATE OF k
    )
    UPDATE api_keys SET last_used_at = greatest(last_used_at, used.used_at) FROM used WHERE api_keys.id = used.id`,
}

export function apiKeyFrom(row: StoredApiKey): ApiKey {
  return {
    id: row.id,
    name: row.name,
    userId: row.user_id,
    actsForOthers: row.acts_for_others,
    permissions: row.permissions,
    plan: row.plan,
    createdAt: row.created_at.getTime(),
    expiresAt: row.expires_at?.getTime() ?? null,
    revokedAt: row.revoked_at?.getTime() ?? null,
    lastUsedAt: row.last_used_at?.getTime() ?? null,
    secretHash: row.secret_hash,
    previous: row.previous_hash === null || row.previous_until === null ? null : { hash: row.previous_hash, until: row.previous_until.getTime() },
  }
}
