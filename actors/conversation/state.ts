/**
 * The state of one conversation's actor: immutable, and changed by `reduce` alone.
 *
 * A turn is `waiting` behind the running one, `queued` once its job may be published, `running` once a bridge was
 * granted a run, and `resuming` when this owner took over a run whose text it does not hold yet.
 */
import type { EndTurn } from '../../storage/conversation-store.ts'
import type { AcceptEvent, BeginEvent, DurableEvent } from './events.ts'
import type { Turn } from './turn.ts'

/** What the actor waits for before it takes its next durable event. */
export type Step =
  | { readonly type: 'accepting'; readonly event: AcceptEvent; readonly ended: Ended | null; readonly title: string | null }
  /** `ahead`: the bridge has its answer, and what it sends is held in `turn`, shown to nobody. */
  | { readonly type: 'beginning'; readonly event: BeginEvent; readonly turn: Turn; readonly ahead: boolean }
  | { readonly type: 'ending'; readonly ended: Ended; readonly promoted: string | null; readonly answer: EndAnswer | null }
  | { readonly type: 'renaming'; readonly event: Extract<DurableEvent, { type: 'rename' }> }
  | { readonly type: 'deleting'; readonly event: Extract<DurableEvent, { type: 'delete' }> }
  /** Waits for the bridge's last word on a run that this owner did not hold from its start. */
  | { readonly type: 'aborting'; readonly turnId: string; readonly event: DurableEvent }

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
  /** When it was used last, in milliseconds since the epoch. */
  readonly updatedAt: number
  /** The newest message id given out. */
  readonly leaf: number | null
  /** Unfinished turns. Only the first may be other than waiting. */
  readonly turns: readonly Turn[]
  readonly step: Step | null
}
