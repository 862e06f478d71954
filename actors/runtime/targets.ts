/** Finds what a command refers to: in the actor's unfinished turns, or in the store. */
import { ChatError } from '../../protocol/errors.ts'
import type { ConversationStore } from '../../storage/conversation-store.ts'
import type { AcceptEvent } from '../conversation/events.ts'
import type { ConversationState } from '../conversation/state.ts'

/** Rejects with `message_not_found` where the parent is not a message of the conversation. */
export async function requireParent(store: ConversationStore, state: ConversationState, parentId: number | null | undefined): Promise<void> {
  if (parentId === null || parentId === undefined || parentId === state.leaf) return
  if (state.turns.some((turn) => turn.userMessageId === parentId || turn.replyMessageId === parentId)) return
  if ((await store.message(state.conversationId, parentId)) === null) throw new ChatError('message_not_found')
}

/** An edit makes a sibling of a user's message. */
export async function editTarget(store: ConversationStore, state: ConversationState, messageId: number, content: string): Promise<AcceptEvent['user']> {
  const unfinished = state.turns.find((turn) => turn.userMessageId === messageId)
  if (unfinished) return { type: 'new', content, parentId: unfinished.parentId }
  if (state.turns.some((turn) => turn.replyMessageId === messageId)) throw new ChatError('not_editable')
  const message = await store.message(state.conversationId, messageId)
  if (message === null) throw new ChatError('message_not_found')
  if (message.role !== 'user') throw new ChatError('not_editable')
  return { type: 'new', content, parentId: message.parent_id }
}

/** A regenerate answers the user message again: given itself, or by a reply to it. */
export async function regenerateTarget(store: ConversationStore, state: ConversationState, messageId: number): Promise<AcceptEvent['user']> {
  const unfinished = state.turns.find((turn) => turn.userMessageId === messageId || turn.replyMessageId === messageId)
  if (unfinished) return { type: 'existing', messageId: unfinished.userMessageId, parentId: unfinished.parentId }
  let message = await store.message(state.conversationId, messageId)
  if (message?.role === 'assistant' && message.parent_id !== null) message = await store.message(state.conversationId, message.parent_id)
  if (message === null) throw new ChatError('message_not_found')
  if (message.role !== 'user') throw new ChatError('not_editable')
  return { type: 'existing', messageId: message.message_id, parentId: message.parent_id }
}
