/**
 * What happens to a conversation, and what follows from it. Keys name who waits for an answer: the runtime keeps the
 * waiting party, so that events and effects stay plain data.
 */
import type { ErrorCode } from '../../protocol/errors.ts'
import type { FinishRequest } from '../../protocol/bus/finish.ts'
import type { Params } from '../../protocol/websocket/fields.ts'
import type { ReplyOf, ServerEvent } from '../../protocol/websocket/messages.ts'
import type { DeadLetter } from '../../platform/bus/dead-letters.ts'
import type { AcceptTurn, ConversationWrite, WriteResult } from '../../storage/conversation-store.ts'
import type { Turn } from './turn.ts'

/** A send, an edit or a regenerate, its ids and its target resolved. */
export interface AcceptEvent {
  readonly type: 'accept'
  readonly key: number
  readonly now: number
  readonly turnId: string
  readonly clientMessageId: string
  readonly commandHash: Uint8Array
  /** Interrupts the running turn, as edit and regenerate do, instead of waiting for it. */
  readonly interrupts: boolean
  /** `parentId` undefined: the newest message. */
  readonly user:
    | { readonly type: 'new'; readonly content: string; readonly parentId: number | null | undefined }
    | { readonly type: 'existing'; readonly messageId: number; readonly parentId: number | null }
  readonly lane: AcceptTurn['lane']
  readonly traceparent: string | null
  readonly model: string | null
  readonly params: Params
  readonly deadlineAt: number
}

export interface BeginEvent {
  readonly type: 'begin'
  readonly key: number
  readonly now: number
  readonly turnId: string
  readonly bridge: string
  readonly defaultModel: string
  /** The bridge cannot go on from what was shown: begin anew. */
  readonly fresh: boolean
}

export interface FinishEvent {
  readonly type: 'finish'
  readonly key: number
  readonly now: number
  readonly request: FinishRequest
}

/** Durable events, one after another: they end in a commit, or in an answer. */
export type DurableEvent =
  | AcceptEvent
  | BeginEvent
  | { readonly type: 'stop'; readonly key: number; readonly now: number; readonly turnId: string }
  | FinishEvent
  | { readonly type: 'expire'; readonly now: number; readonly turnId: string }
  | { readonly type: 'rename'; readonly key: number; readonly title: string }
  | { readonly type: 'delete'; readonly key: number }

/** Taken at any time, also while a commit is out. */
export type ImmediateEvent =
  | { readonly type: 'delta'; readonly now: number; readonly bridge: string; readonly turnId: string; readonly run: number; readonly offset: number; readonly text: string; readonly idOffset: number; readonly ids: Uint8Array }
  | { readonly type: 'cut'; readonly turnId: string }
  /** The bridge's answer to `attach`; null: it does not hold the run, or cannot be reached. */
  | { readonly type: 'attached'; readonly now: number; readonly turnId: string; readonly run: number; readonly offset: number; readonly idOffset: number; readonly answer: { readonly text: string; readonly ids: Uint8Array } | null }
  /** Its bridge does not hold the run any more: it has let go of it, or is gone. */
  | { readonly type: 'released'; readonly turnId: string; readonly run: number }
  | { readonly type: 'written'; readonly now: number; readonly result: Exclude<WriteResult, { status: 'withdrawn' }> }
  /** The write was given up, and the store has told since that nothing of it was committed. */
  | { readonly type: 'unwritten' }
  /** The write was held and has been taken back, as the run has finished meanwhile. */
  | { readonly type: 'withdrawn'; readonly finish: FinishEvent }
  /** The bridge's answer to `askAbort`; null: none came in time. */
  | { readonly type: 'aborted'; readonly now: number; readonly text: string | null }

export type ConversationEvent = DurableEvent | ImmediateEvent

export type Answer =
  | { readonly type: 'accepted'; readonly reply: ReplyOf<'message.send'> }
  | { readonly type: 'stopped'; readonly turnId: string }
  | { readonly type: 'renamed'; readonly reply: ReplyOf<'conversation.rename'> }
  | { readonly type: 'deleted' }
  | { readonly type: 'granted'; readonly turn: Turn; readonly resume: boolean }
  | { readonly type: 'gone' }
  | { readonly type: 'busy'; readonly retryMs: number }
  | { readonly type: 'confirmed' }
  | { readonly type: 'abort' }
  | { readonly type: 'gap'; readonly have: number }
  /** The turn is not among the unfinished ones: the store knows how it ended. */
  | { readonly type: 'ask_store' }
  | { readonly type: 'error'; readonly code: ErrorCode }

export type Effect =
  /** `held`: nobody waits for it until the run says something. */
  | { readonly type: 'write'; readonly write: Omit<ConversationWrite, 'conversationId' | 'token'>; readonly refusable: boolean; readonly held?: boolean }
  | { readonly type: 'answer'; readonly key: number; readonly answer: Answer }
  | { readonly type: 'publish'; readonly turn: Turn }
  | { readonly type: 'emit'; readonly event: ServerEvent }
  /** Text was added to the end of what is shown of the turn. */
  | { readonly type: 'show'; readonly turnId: string; readonly attempt: number; readonly text: string }
  | { readonly type: 'abort'; readonly bridge: string; readonly turnId: string; readonly run: number }
  | { readonly type: 'askAbort'; readonly bridge: string; readonly turnId: string; readonly run: number }
  | { readonly type: 'attach'; readonly bridge: string; readonly turnId: string; readonly run: number; readonly offset: number; readonly idOffset: number }
  /** A turn was given up, and its letter is committed with its end. */
  | { readonly type: 'deadLetter'; readonly letter: DeadLetter }
  /** The conversation is no more: who follows it hears the last of it, then as for `drop`. */
  | { readonly type: 'deleted' }
  /** Another owner has the conversation: forget everything. */
  | { readonly type: 'drop' }
