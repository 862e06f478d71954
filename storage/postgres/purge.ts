/** Deletes conversations that have expired, and removes what deleted ones leave behind, in small transactions. */
import type { QueryResult } from 'pg'
import { pipeline, type Shard } from './shard.ts'
import { lockConversations } from './statements/lock-conversations.ts'
import { conversationsAtOnce, deleteExpired, expiredConversations, forgetRemoved, removeRows, tryPurgeLock } from './statements/purge.ts'

/**
 * At most `limit` conversations, messages and turns. True where more is left. Nothing where another process does so now:
 * two would only wait for one another.
 */
export async function purge(shard: Shard, limit: number): Promise<boolean> {
  const expired = await deleteAtRest(shard, limit)
  return (await remove(shard, limit)) || expired
}

async function deleteAtRest(shard: Shard, limit: number): Promise<boolean> {
  return shard.inBackground(async (client) => {
    const [, locked, expired] = await pipeline(client, [{ statement: 'BEGIN' }, { statement: tryPurgeLock }, { statement: expiredConversations, values: [limit] }])
    const ids = (expired?.rows ?? []).map(({ id }: { readonly id: number }) => id)
    const due = isLocked(locked) && ids.length > 0
    await pipeline(client, [...(due ? [{ statement: lockConversations, values: [ids] }, { statement: deleteExpired, values: [ids] }] : []), { statement: 'COMMIT' }])
    return due && ids.length === limit
  })
}

async function remove(shard: Shard, limit: number): Promise<boolean> {
  return shard.inBackground(async (client) => {
    const [, locked] = await pipeline(client, [{ statement: 'BEGIN' }, { statement: tryPurgeLock }])
    if (!isLocked(locked)) {
      await client.query('COMMIT')
      return false
    }
    const [removed, forgotten] = await pipeline(client, [{ statement: removeRows, values: [limit] }, { statement: forgetRemoved }, { statement: 'COMMIT' }])
    const counts = ((removed?.rows ?? []) as { readonly messages: number; readonly turns: number }[]).map(({ messages, turns }) => Math.max(messages, turns))
    return counts.includes(limit) || forgotten?.rows.length === conversationsAtOnce
  })
}

function isLocked(result: QueryResult | undefined): boolean {
  return (result?.rows[0] as { readonly locked: boolean } | undefined)?.locked === true
}
