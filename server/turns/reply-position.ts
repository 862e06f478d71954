/**
 * Where a reader of one reply stands that can be given more text, and never told to drop some. Pure. Parts of a reply come
 * from its owner, from one owner after another, and from the store; each names its attempt and where it begins.
 */
import type { TurnPosition } from '../../actors/conversation-service.ts'

export interface ReplyPart {
  readonly attempt: number
  readonly offset: number
  readonly text: string
}

export type Taken =
  /** `text` is what the reader does not have yet. */
  | { readonly type: 'taken'; readonly position: TurnPosition; readonly text: string }
  /** What the reader has is no beginning of this reply: it began anew, or the position was never one of it. */
  | { readonly type: 'restarted'; readonly position: TurnPosition }
  /** Text between what the reader has and this part is missing. */
  | { readonly type: 'gap' }

export const replyStart: TurnPosition = { attempt: 1, offset: 0 }

export function takePart(position: TurnPosition, part: ReplyPart): Taken {
  if (part.attempt !== position.attempt) {
    const start = { attempt: part.attempt, offset: 0 }
    return position.offset === 0 ? takePart(start, part) : { type: 'restarted', position: start }
  }
  const known = position.offset - part.offset
  if (known < 0) return { type: 'gap' }
  // A part that begins where the reader stands may be empty; one that begins before must reach to there.
  if (known > part.text.length) return { type: 'restarted', position: { attempt: part.attempt, offset: 0 } }
  const text = part.text.slice(known)
  return { type: 'taken', position: { attempt: part.attempt, offset: position.offset + text.length }, text }
}

/** Whether the reader has all of a reply that ended so. */
export function isWhole(position: TurnPosition, ended: { readonly attempt: number; readonly end: number }): boolean {
  return position.attempt === ended.attempt ? position.offset === ended.end : position.offset === 0 && ended.end === 0
}
