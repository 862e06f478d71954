/**
 * The state of one conversation's actor: immutable, and changed by `reduce` alone.
 *
 * A turn is `waiting` behind the running one, `queued` once its job may be published, `running` once a bridge was
 * granted a run, and `resuming` when this owner took over a run whose text it does not hold yet.
 */
import type { Params } from '../../protocol/websocket/fields.ts'
import type { EndTurn, TurnRow } from '../../storage/conversation-store.ts'
import type { ConversationEvent } from './events.ts'
import { emptyIds, type IdRope } from './token-ids.ts'

export interface Turn {
  readonly turnId: string
  readonly clientMessageId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly parentId: number | null
  readonly lane: TurnRow['lane']
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
  readonly barrenGrants: number
  /** Of the last grant. */
  readonly model: string | null
  /** The attempt's text so far; what is shown and, in the end, stored. */
  readonly text: string
  readonly ids: IdRope
  /** Length of `text` when the last run was granted: a run that added nothing is barren. */
  readonly textAtGrant: number
  /** Milliseconds since the epoch, when the run was last heard of. */
  readonly heardAt: number
  /** Asked the bridge to send again from here; null: no replay is under way. */
  readonly replayFrom: number | null
  /** A stop has entered the mailbox: no more text is taken. */
  readonly cut: boolean
}

/** What the actor waits for before it takes its next durable event. */
export type Step =
  | { readonly type: 'accepting'; readonly event: Extract<ConversationEvent, { type: 'accept' }>; readonly ended: Ended | null; readonly title: string | null }
  | { readonly type: 'beginning'; readonly event: Extract<ConversationEvent, { type: 'begin' }>; readonly turn: Turn }
  | { readonly type: 'ending'; readonly ended: Ended; readonly promoted: string | null; readonly answer: EndAnswer | null }
  /** Waits for the bridge's last word on a run that this owner did not hold from its start. */
  | { readonly type: 'aborting'; readonly turnId: string; readonly event: ConversationEvent }

export type EndAnswer = { readonly type: 'finish'; readonly key: number } | { readonly type: 'stop'; readonly key: number } | { readonly type: 'begin'; readonly key: number }

export interface Ended {
  readonly turn: Turn
  readonly write: EndTurn
}

export interface ConversationState {
  readonly conversationId: number
  readonly userId: string
  readonly title: string | null
  readonly model: string | null
  readonly system: string | null
  /** The newest message id given out. */
  readonly leaf: number | null
  /** Unfinished turns. Only the first may be other than waiting. */
  readonly turns: readonly Turn[]
  readonly step: Step | null
}

export function turnFromRow(row: TurnRow): Turn {
  return {
    turnId: row.turnId,
    clientMessageId: row.clientMessageId,
    userMessageId: row.userMessageId,
    replyMessageId: row.replyMessageId,
    parentId: row.parentId,
    lane: row.lane,
    requestedModel: row.model,
    params: row.params,
    acceptedAt: row.acceptedAt,
    deadlineAt: row.deadlineAt,
    startedAt: row.startedAt,
    firstTextAt: null,
    state: row.state === 'running' ? 'resuming' : row.state === 'waiting' ? 'waiting' : 'queued',
    attempt: row.attempt,
    run: row.run,
    bridge: row.bridge,
    barrenGrants: row.barrenGrants,
    model: null,
    text: '',
    ids: emptyIds,
    textAtGrant: 0,
    heardAt: 0,
    replayFrom: null,
    cut: false,
  }
}
