/** What `conversation.opened` tells: the messages beyond a cursor, and the unfinished turns as they stand. */
import { limits } from '../../protocol/websocket/limits.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { Cursor, TurnSnapshot } from '../../protocol/websocket/commands/conversation-open.ts'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import type { ConversationState } from '../conversation/state.ts'
import type { Turn } from '../conversation/turn.ts'

const page = { limit: limits.pageMessages, maxBytes: limits.pageBytes } as const

interface Window {
  readonly messages: readonly Message[]
  readonly hasMore: boolean
  readonly reset: boolean
}

/** Reads the store, so it must run alone in the conversation's mailbox: no turn ends meanwhile. */
export async function openedSnapshot(store: ConversationStore, state: () => ConversationState, cursor: Cursor | undefined): Promise<Omit<ReplyOf<'conversation.open'>, 'type' | 'ref'>> {
  const before = state()
  const window = await messagesBeyond(store, before, cursor)
  // Text goes on while the store is read: taken last, in the same turn of the event loop as the subscription.
  const now = state()
  return {
    conversation_id: now.conversationId,
    title: now.title,
    messages: [...window.messages],
    active_leaf: now.leaf,
    has_more: window.hasMore,
    reset: window.reset,
    turns: now.turns.map((turn) => turnSnapshot(turn, window.reset ? undefined : cursor)),
  }
}

async function messagesBeyond(store: ConversationStore, state: ConversationState, cursor: Cursor | undefined): Promise<Window> {
  const newest = async (reset: boolean): Promise<Window> => {
    const { messages, hasMore } = await store.messagesBefore(state.conversationId, page)
    return { messages, hasMore, reset }
  }
  if (cursor === undefined || (cursor.message_id === undefined && cursor.turn_id === undefined)) return newest(false)
  const after = await cursorStart(store, state, cursor)
  if (after === null) return newest(true)
  const { messages, hasMore } = await store.messagesAfter(state.conversationId, { after, ...page })
  return hasMore ? newest(true) : { messages, hasMore: false, reset: false }
}

/** The id above which messages are news to the client; null for a cursor of something unknown. */
async function cursorStart(store: ConversationStore, state: ConversationState, cursor: Cursor): Promise<number | null> {
  let start = cursor.message_id ?? Number.MAX_SAFE_INTEGER
  if (cursor.message_id !== undefined) {
    const known = cursor.message_id === state.leaf || isUnfinished(state, cursor.message_id) || (await store.message(state.conversationId, cursor.message_id)) !== null
    if (!known) return null
  }
  if (cursor.turn_id !== undefined) {
    const unfinished = state.turns.find((turn) => turn.turnId === cursor.turn_id)
    const turn = unfinished ?? (await store.turn(cursor.turn_id))
    if (turn === null || ('conversationId' in turn && turn.conversationId !== state.conversationId)) return null
    start = Math.min(start, turn.userMessageId)
  }
  // A reply's id is drawn when its message is accepted: unfinished replies below the cursor come as turns, or later.
  for (const turn of state.turns) start = Math.min(start, turn.replyMessageId - 1)
  return start
}

function isUnfinished(state: ConversationState, messageId: number): boolean {
  return state.turns.some((turn) => turn.userMessageId === messageId || turn.replyMessageId === messageId)
}

/** `text` goes on from the cursor's offset where that is of this turn's attempt and within its text. */
export function turnSnapshot(turn: Turn, cursor: Cursor | undefined): TurnSnapshot {
  const shown = cursor?.turn_id === turn.turnId && cursor.attempt === turn.attempt ? (cursor.offset ?? 0) : 0
  // An owner that does not hold the text yet cannot know where it ends: the client's own offset stands until it does.
  const offset = turn.state === 'resuming' ? shown : shown > turn.text.length ? 0 : shown
  const text = turn.text.slice(offset)
  return {
    turn_id: turn.turnId,
    user_message_id: turn.userMessageId,
    message_id: turn.replyMessageId,
    attempt: turn.attempt,
    offset,
    end: offset + text.length,
    text,
    state: turn.state,
    ...(turn.model === null ? {} : { model: turn.model }),
  }
}
