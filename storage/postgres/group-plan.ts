/**
 * Decides what becomes of each write of a group: pure, from what was read under the conversations' locks. A write is
 * made whole or not at all. One that was made before, by a commit whose answer got lost, is found made.
 */
import { bucketOfId, makeId } from '../../protocol/ids.ts'
import type { AcceptTurn, BeginTurn, ConversationWrite, EndTurn, WriteResult } from '../conversation-store.ts'
import { GroupRows } from './group-rows.ts'
import { turnFrom, type StoredTurn } from './rows.ts'
import type { DrawnRow } from './statements/lock-and-draw.ts'

/** What the database holds, read after the locks were taken. */
export interface GroupFindings {
  /** Of writes whose token is the owner's. */
  readonly drawn: readonly DrawnRow[]
  /** The turns that are to be ended, begun or promoted, and those whose client message ids are to be accepted. */
  readonly turns: readonly StoredTurn[]
  /** Conversations that were deleted before. */
  readonly deleted: ReadonlySet<number>
}

export interface GroupPlan {
  /** In the order of the writes. */
  readonly results: readonly WriteResult[]
  readonly rows: GroupRows
}

/** Sequence numbers that a write needs: one for a reply, one for a new user message. */
export function drawsOf({ accept }: ConversationWrite): number {
  if (accept === undefined) return 0
  return accept.user.type === 'new' ? 2 : 1
}

/** No two writes may be of one conversation. */
export function planGroup(writes: readonly ConversationWrite[], findings: GroupFindings): GroupPlan {
  const drawn = new Map(findings.drawn.map((row) => [row.id, row]))
  const turns = new Map(findings.turns.map((row) => [row.id, row]))
  const byClientId = new Map(findings.turns.map((row) => [`${row.conversation_id} ${row.client_message_id}`, row]))
  const rows = new GroupRows()
  const results = writes.map((write): WriteResult => {
    const { conversationId } = write
    const draw = drawn.get(conversationId)
    if (draw === undefined) return { status: write.remove === true && findings.deleted.has(conversationId) ? 'committed' : 'stale' }
    if (write.remove === true) {
      rows.remove(conversationId)
      return { status: 'committed' }
    }
    const turnOf = (turnId: string): StoredTurn | undefined => {
      const turn = turns.get(turnId)
      return turn?.conversation_id === conversationId ? turn : undefined
    }
    return acceptedBefore(write.accept, byClientId.get(`${conversationId} ${write.accept?.clientMessageId}`)) ?? settledBefore(write, turnOf) ?? plan(write, draw, turnOf, rows)
  })
  return { results, rows }
}

/** The outcome of a client message id that is stored already. */
function acceptedBefore(accept: AcceptTurn | undefined, stored: StoredTurn | undefined): WriteResult | undefined {
  if (accept === undefined || stored === undefined) return undefined
  if (stored.id === accept.turnId) {
    return { status: 'committed', accepted: { userMessageId: stored.user_message_id, replyMessageId: stored.reply_message_id } }
  }
  return Buffer.compare(stored.command_hash, accept.commandHash) === 0 ? { status: 'duplicate', turn: turnFrom(stored) } : { status: 'conflict' }
}

/** The outcome of a write whose comparisons fail, or hold because it was made before. */
function settledBefore({ accept, ends = [], begin, promote }: ConversationWrite, turnOf: (turnId: string) => StoredTurn | undefined): WriteResult | undefined {
  const missed = (stored: StoredTurn | undefined): WriteResult => ({ status: 'missed', turn: stored === undefined ? null : turnFrom(stored) })
  const madeBefore = accept === undefined && ends.length > 0 && ends.every((end) => isMade(end, turnOf(end.turnId)))
  if (madeBefore) return { status: 'committed' }
  for (const end of ends) {
    const stored = turnOf(end.turnId)
    if (stored === undefined || stored.ended_at !== null || !(end.granted === undefined ? stored.run === end.run : isNext(end, stored))) return missed(stored)
  }
  if (begin !== undefined) {
    const stored = turnOf(begin.turnId)
    if (stored === undefined || stored.ended_at !== null) return missed(stored)
    if (isGranted(begin, stored)) return { status: 'committed' }
    if (!isNext(begin, stored)) return missed(stored)
  }
  if (promote !== undefined) {
    const stored = turnOf(promote)
    if (stored?.state !== 'waiting' && stored?.state !== 'queued') return missed(stored)
  }
  return undefined
}

function isMade(end: EndTurn, stored: StoredTurn | undefined): boolean {
  return stored?.ended_at?.getTime() === end.endedAt && stored.run === end.run && stored.attempt === end.attempt && stored.state === end.end.type
}

/** Whoever did not accept the turn leaves out run 1, which may have been granted and never been stored. */
function isNext({ run }: Pick<BeginTurn, 'run'>, stored: StoredTurn): boolean {
  return stored.run === run - 1 || (stored.run === 0 && run === 2)
}

function isGranted(begin: BeginTurn, stored: StoredTurn): boolean {
  return stored.run === begin.run && stored.bridge === begin.bridge && stored.attempt === begin.attempt
}

function plan(write: ConversationWrite, draw: DrawnRow, turnOf: (turnId: string) => StoredTurn | undefined, rows: GroupRows): WriteResult {
  const { conversationId, ends = [], accept, begin, promote, title, rename } = write
  for (const end of ends) rows.end(end, turnOf(end.turnId) as StoredTurn)
  if (begin !== undefined) rows.begin(begin)
  if (promote !== undefined) rows.promote(promote)
  if (rename !== undefined) rows.rename(conversationId, rename)
  if (accept === undefined) {
    if (title !== undefined) rows.use(conversationId, null, null, title)
    return { status: 'committed' }
  }
  // Of the two numbers the reply's is the higher, in whichever order Postgres drew them.
  const ids = [draw.first, draw.second].filter((sequence) => sequence !== null).map((sequence) => makeId(sequence, bucketOfId(conversationId))).sort((a, b) => a - b)
  const replyMessageId = ids.at(-1) as number
  const userMessageId = accept.user.type === 'existing' ? accept.user.messageId : (ids[0] as number)
  rows.accept(conversationId, accept, userMessageId, replyMessageId)
  rows.use(conversationId, replyMessageId, accept.acceptedAt, title ?? null)
  return { status: 'committed', accepted: { userMessageId, replyMessageId } }
}
