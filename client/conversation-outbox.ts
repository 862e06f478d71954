/** What the user does, shown at once and before the server knows: changes of the outbox. Pure. */
import type { ChatError } from '../protocol/errors.ts'
import type { ConversationState, OutboxMessage } from './conversation-state.ts'

/** Things a user can have unanswered or failed in one conversation. Beyond it a send is refused on the spot. */
export const outboxBound = 32

export function put(state: ConversationState, entry: Omit<OutboxMessage, 'state' | 'error' | 'heldUntil'>): ConversationState {
  return { ...state, outbox: [...state.outbox, { ...entry, state: 'pending', error: null, heldUntil: null }] }
}

export function fail(state: ConversationState, clientMessageId: string, error: ChatError): ConversationState {
  return change(state, clientMessageId, { state: 'failed', error, heldUntil: null })
}

/** The server refused it for now; it is sent again by itself. */
export function hold(state: ConversationState, clientMessageId: string, error: ChatError, waitMs: number): ConversationState {
  return change(state, clientMessageId, { state: 'pending', error, heldUntil: new Date(Date.now() + waitMs).toISOString() })
}

export function retry(state: ConversationState, clientMessageId: string): ConversationState {
  return change(state, clientMessageId, { state: 'pending', error: null, heldUntil: null })
}

export function discard(state: ConversationState, clientMessageId: string): ConversationState {
  return { ...state, outbox: state.outbox.filter((entry) => entry.clientMessageId !== clientMessageId) }
}

function change(state: ConversationState, clientMessageId: string, to: Pick<OutboxMessage, 'state' | 'error' | 'heldUntil'>): ConversationState {
  return { ...state, outbox: state.outbox.map((entry) => (entry.clientMessageId === clientMessageId ? { ...entry, ...to } : entry)) }
}
