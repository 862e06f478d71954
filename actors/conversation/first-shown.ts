import type { Effect } from './events.ts'
import type { Turn } from './turn.ts'

export function startedEffect(conversationId: number, { turnId, userMessageId, replyMessageId, attempt }: Turn, model: string): Effect {
  return { type: 'emit', event: { type: 'turn.started', conversation_id: conversationId, turn_id: turnId, user_message_id: userMessageId, message_id: replyMessageId, attempt, model } }
}

/** What came ahead of the commit. */
export function heldText({ turnId, attempt, text }: Turn): Effect[] {
  return text === '' ? [] : [{ type: 'show', turnId, attempt, text }]
}
