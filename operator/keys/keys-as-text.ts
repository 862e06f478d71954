import type { ApiKey } from '../../storage/credential-store.ts'
import { age, table } from '../text-tables.ts'

/** All of a key but its hashes. */
export function keyFields(key: ApiKey): Readonly<Record<string, unknown>> {
  return {
    id: key.id,
    name: key.name,
    user_id: key.userId,
    acts_for_others: key.actsForOthers,
    permissions: key.permissions,
    plan: key.plan,
    created_at: timestamp(key.createdAt),
    expires_at: timestamp(key.expiresAt),
    revoked_at: timestamp(key.revokedAt),
    last_used_at: timestamp(key.lastUsedAt),
    previous_secret_until: timestamp(key.previous?.until ?? null),
  }
}

export function holds(key: ApiKey, now: number): boolean {
  return key.revokedAt === null && (key.expiresAt === null || key.expiresAt > now)
}

export function keysTable(keys: readonly ApiKey[], now: number): string {
  return table([
    ['ID', 'NAME', 'USER', 'FOR OTHERS', 'PLAN', 'STATE', 'LAST USED', 'PERMISSIONS'],
    ...keys.map((key) => [
      key.id, key.name, key.userId ?? '-', key.actsForOthers ? 'yes' : 'no', key.plan, state(key, now), key.lastUsedAt === null ? 'never' : `${age(now - key.lastUsedAt)} ago`, key.permissions.join(','),
    ]),
  ])
}

function state({ revokedAt, expiresAt, previous }: ApiKey, now: number): string {
  if (revokedAt !== null) return 'revoked'
  if (expiresAt !== null && expiresAt <= now) return 'expired'
  const rotating = previous !== null && previous.until > now ? `, old secret ${age(previous.until - now)} more` : ''
  return `${expiresAt === null ? 'holds' : `holds ${age(expiresAt - now)} more`}${rotating}`
}

function timestamp(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString()
}
