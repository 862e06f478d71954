/**
 * One group as one transaction, in two round trips: lock the conversations and read what the writes compare with; then
 * write and commit. Rejects where nothing was written, or where that is unknown: the same group may be run again.
 */
import type { ConversationWrite, WriteResult } from '../conversation-store.ts'
import { GroupFault, withoutFault } from './group-fault.ts'
import { drawsOf, planGroup } from './group-plan.ts'
import { pipeline, type BoundStatement, type Shard } from './shard.ts'
import type { StoredTurn } from './rows.ts'
import { deletedConversations } from './statements/delete-conversations.ts'
import { lockAndDraw, type DrawnRow } from './statements/lock-and-draw.ts'
import { makeConversations } from './statements/make-conversations.ts'
import { turnsOfGroup } from './statements/turns-of-group.ts'

export async function commitGroup(shard: Shard, writes: readonly ConversationWrite[]): Promise<readonly WriteResult[]> {
  const first = withoutFault(() => readings(writes))
  return shard.withClient(async (client) => {
    const [drawn, turns, deleted] = (await pipeline(client, [...opening(writes), ...first])).slice(-first.length)
    const findings = {
      drawn: (drawn?.rows ?? []) as DrawnRow[],
      turns: (turns?.rows ?? []) as StoredTurn[],
      deleted: new Set(((deleted?.rows ?? []) as { readonly id: number }[]).map(({ id }) => id)),
    }
    const plan = withoutFault(() => planGroup(writes, findings))
    const results = await pipeline(client, [...plan.rows.statements(), { statement: 'COMMIT' }])
    if (results.at(-1)?.command !== 'COMMIT') throw new GroupFault('a transaction without an error was rolled back')
    return plan.results
  })
}

/** New conversations are there before they are locked, as all others. */
function opening(writes: readonly ConversationWrite[]): BoundStatement[] {
  const made = writes.flatMap(({ conversationId, token, make }) => (make === undefined ? [] : [{ conversationId, token, ...make }]))
  const columns = [
    made.map(({ conversationId }) => conversationId),
    made.map(({ token }) => token.epoch),
    made.map(({ token }) => token.node),
    made.map(({ token }) => token.bootId),
    made.map(({ userId }) => userId),
    made.map(({ title }) => title),
    made.map(({ model }) => model),
    made.map(({ system }) => system),
    made.map(({ expiresAfterMs = null }) => expiresAfterMs),
  ]
  return [{ statement: 'BEGIN' }, ...(made.length > 0 ? [{ statement: makeConversations, values: columns }] : [])]
}

function readings(writes: readonly ConversationWrite[]): BoundStatement[] {
  const tokens = [
    writes.map(({ conversationId }) => conversationId),
    writes.map(({ token }) => token.epoch),
    writes.map(({ token }) => token.node),
    writes.map(({ token }) => token.bootId),
    writes.map(drawsOf),
  ]
  const turnIds = writes.flatMap(({ ends = [], begin, promote }) => [...ends.map(({ turnId }) => turnId), ...(begin ? [begin.turnId] : []), ...(promote === undefined ? [] : [promote])])
  const accepts = writes.flatMap(({ conversationId, accept }) => (accept ? [{ conversationId, clientMessageId: accept.clientMessageId }] : []))
  const clientIds = [accepts.map(({ conversationId }) => conversationId), accepts.map(({ clientMessageId }) => clientMessageId)]
  const removed = writes.flatMap(({ conversationId, remove }) => (remove === true ? [conversationId] : []))
  return [
    { statement: lockAndDraw, values: tokens },
    { statement: turnsOfGroup, values: [turnIds, ...clientIds] },
    // Most groups have none.
    ...(removed.length > 0 ? [{ statement: deletedConversations, values: [removed] }] : []),
  ]
}
