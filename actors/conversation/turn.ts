/** One unfinished turn of a conversation. */
import type { Params } from '../../protocol/websocket/fields.ts'
import type { TurnRow } from '../../storage/conversation-store.ts'
import { emptyIds, type TokenIds } from './token-ids.ts'

export interface Turn {
  readonly turnId: string
  readonly clientMessageId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly parentId: number | null
  readonly lane: TurnRow['lane']
  /** Of the request that began it, for traces; not stored: an owner that takes the turn up does not know it. */
  readonly traceparent: string | null
  /** Asked for with the message. */
  readonly requestedModel: string | null
  readonly params: Params
  readonly acceptedAt: number
  readonly deadlineAt: number
  readonly startedAt: number | null
  readonly firstTextAt: number | null
  readonly state: 'waiting' | 'queued' | 'running' | 'resuming'
  readonly attempt: number
  /** 0 until the first grant. */
  readonly run: number
  readonly bridge: string | null
  /** This owner accepted the turn, and has granted nothing of it: run 1 is its own, and may be granted ahead of the commit. */
  readonly mayGrantAhead: boolean
  readonly barrenGrants: number
  /** Of the last grant. */
  readonly model: string | null
  /** The attempt's text so far; what is shown and, in the end, stored. */
  readonly text: string
  readonly ids: TokenIds
  /** A finish that was not written brought text, which brings no ids: nobody can go on from it exactly. */
  readonly idsEndEarly: boolean
  /** Length of `text` when the last run was granted: a run that added nothing is barren. */
  readonly textAtGrant: number
  /** Milliseconds since the epoch, when the run was last heard of. */
  readonly heardAt: number
  /** Asked the bridge to send again from here; null: no replay is under way. */
  readonly replayFrom: number | null
  /** A stop has entered the mailbox: no more text is taken. */
  readonly cut: boolean
}

/** What no run has touched yet. To be spread last: an object that begins with a spread and then gets other keys is of a class of its own to V8, which is slow and 10 KB. */
export const untouched = {
  model: null,
  text: '',
  ids: emptyIds,
  idsEndEarly: false,
  textAtGrant: 0,
  heardAt: 0,
  replayFrom: null,
  cut: false,
  firstTextAt: null,
} as const satisfies Partial<Turn>

/** A turn as an owner finds it that takes it up: the text of one that runs is not known yet. */
export function turnFromRow(row: TurnRow): Turn {
  return {
    turnId: row.turnId,
    clientMessageId: row.clientMessageId,
    userMessageId: row.userMessageId,
    replyMessageId: row.replyMessageId,
    parentId: row.parentId,
    lane: row.lane,
    traceparent: null,
    requestedModel: row.model,
    params: row.params,
    acceptedAt: row.acceptedAt,
    deadlineAt: row.deadlineAt,
    startedAt: row.startedAt,
    state: row.state === 'running' ? 'resuming' : row.state === 'waiting' ? 'waiting' : 'queued',
    attempt: row.attempt,
    run: row.run,
    bridge: row.bridge,
    mayGrantAhead: false,
    barrenGrants: row.barrenGrants,
    ...untouched,
  }
}
