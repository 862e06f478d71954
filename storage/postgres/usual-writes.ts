/**
 * The writes that a turn usually takes (accept of a new message, begin, end), of many conversations, as one statement that
 * commits by itself: one round trip, and a third of what a transaction takes that locks, reads, plans and writes.
 * What it does not make goes that way, which alone knows of duplicates, misses and stale owners and tells them apart.
 *
 * A statement sees what was committed before it began, not what was while it waited for a lock. So nothing is decided by
 * what it merely reads, only by rows that it locks or changes, of which Postgres takes the newest version and compares anew:
 * - the fence is compared with the locked row of the conversation. Whoever claims it, or wrote to it before, holds that lock;
 * - message ids are drawn for rows that are locked, and so rise within a conversation;
 * - a begin or an end compares the turn in the update itself. A turn whose old version does not compare, or that was not
 *   there yet, is left out, even where the newest would compare: that costs a second way, and no more;
 * - an accept inserts its turn first, and both unique keys refuse one that is there, seen or not;
 * - all else that a write takes is made from what these return. It is made whole or not at all.
 *
 * One whose answer was lost may run again, beside or after the first: each is a compare-and-set that holds once.
 */
import type { AcceptTurn, BeginTurn, ConversationWrite, EndTurn, WriteResult } from '../conversation-store.ts'
import { endColumns } from './end-columns.ts'
import { withoutFault } from './group-fault.ts'
import { pipeline, type Shard } from './shard.ts'
import { bindUsualWrites, type UsualRow, type UsuallyWritten } from './statements/usual-writes.ts'

/**
 * Of one statement. Its parts are joined by nested loops, as it is planned for few rows: of 200 accepts each takes Postgres three
 * times as long as in a transaction, of 32 as long.
 */
export const mostUsualWrites = 32

type NewMessage = Extract<AcceptTurn['user'], { type: 'new' }>

/** Results in the order of the writes, of different conversations; null of those that were not made. Rejects as a group does. */
export async function writeUsual(shard: Shard, writes: readonly ConversationWrite[]): Promise<readonly (WriteResult | null)[]> {
  const { accepts, changes } = withoutFault(() => usualRows(writes))
  if (accepts.length === 0 && changes.length === 0) return writes.map(() => null)
  const [result] = await shard.withClient((client) => pipeline(client, [bindUsualWrites(accepts, changes)]))
  const made = new Map(((result?.rows ?? []) as UsuallyWritten[]).map((row) => [row.conversation_id, row]))
  return writes.map(({ conversationId }) => {
    const row = made.get(conversationId)
    if (row === undefined) return null
    const { user_message_id: userMessageId, reply_message_id: replyMessageId } = row
    return userMessageId === null || replyMessageId === null ? { status: 'committed' } : { status: 'committed', accepted: { userMessageId, replyMessageId } }
  })
}

function usualRows(writes: readonly ConversationWrite[]): { readonly accepts: readonly UsualRow[]; readonly changes: readonly UsualRow[] } {
  const accepts: UsualRow[] = []
  const changes: UsualRow[] = []
  for (const write of writes) {
    const { conversationId, token, make, ends = [], accept, begin, promote, title, rename, remove } = write
    const steps = ends.length + (accept === undefined ? 0 : 1) + (begin === undefined ? 0 : 1)
    if (steps !== 1 || make !== undefined || promote !== undefined || rename !== undefined || remove === true) continue
    const owner = [conversationId, token.epoch, token.node, token.bootId] as const
    const [end] = ends
    if (accept?.user.type === 'new') accepts.push([...owner, ...acceptValues(accept, accept.user, title ?? null)])
    else if (title !== undefined) continue
    else if (begin !== undefined) changes.push([...owner, ...beginValues(begin)])
    else if (end !== undefined && end.deadLetter !== true) changes.push([...owner, ...endValues(end)])
  }
  return { accepts, changes }
}

function acceptValues(accept: AcceptTurn, { content, parentId }: NewMessage, title: string | null): UsualRow {
  const { turnId, clientMessageId, commandHash, state, lane, model, params, acceptedAt, deadlineAt } = accept
  return [turnId, clientMessageId, Buffer.from(commandHash), parentId, content, state, lane, model, JSON.stringify(params), acceptedAt, deadlineAt, title]
}

function beginValues({ turnId, run, attempt, bridge, barrenGrants, startedAt }: BeginTurn): UsualRow {
  return [turnId, run, attempt, 'running', bridge, barrenGrants, startedAt, null, null, null, null, null, null, null, null, null]
}

function endValues(write: EndTurn): UsualRow {
  const { turnId, run, attempt, end, content, model, cached, costUsd, endedAt } = write
  const { bridge, barrenGrants, startedAt, reason, error, usage, timing } = endColumns(write)
  return [turnId, run, attempt, end.type, bridge, barrenGrants, startedAt, endedAt, costUsd, cached, content, reason, model, error, usage, timing]
}
