/** Who reads one turn's reply, as TurnFollower tells it: text in order, each piece once, then one end. */
import type { FinishReason, Timing, TurnError, Usage } from '../../protocol/websocket/fields.ts'
import type { ChatError } from '../../protocol/errors.ts'

export interface FinishedReply {
  readonly type: 'finished'
  readonly messageId: number
  readonly attempt: number
  readonly reason: FinishReason
  readonly model: string | null
  readonly usage: Usage | null
  readonly timing: Timing
  readonly cached: boolean
  readonly costUsd: number | null
}

export type ReplyEnd =
  | FinishedReply
  /** The turn has failed. */
  | { readonly type: 'failed'; readonly messageId: number; readonly attempt: number; readonly error: TurnError }
  /** Nothing more can be read here, though the turn may go on. `reply_restarted`: what was read is void. */
  | { readonly type: 'broken'; readonly error: ChatError }

export interface ReplyReader {
  /** While false no text comes, but what was under way already, and no end; call `TurnFollower.pump` when it is true again. */
  readonly writable: boolean
  /** A model begins to write. Also where the reply goes on, or begins anew before any of it was read. */
  started?(attempt: number, model: string): void
  /** `offset` to `end`, in UTF-16 code units of the attempt. */
  text(text: string, attempt: number, end: number): void
  /**
   * What was read is void: it begins anew, from nothing. A reader without this cannot drop what it was given, and is ended
   * with `reply_restarted` instead.
   */
  restarted?(): void
  /** Nothing follows. */
  ended(end: ReplyEnd): void
}
