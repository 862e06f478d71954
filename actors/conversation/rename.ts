/** A conversation gets another title. */
import type { DurableEvent, Effect } from './events.ts'
import type { ConversationState, Step } from './state.ts'
import type { Transition } from './transitions.ts'

export function rename(state: ConversationState, event: Extract<DurableEvent, { type: 'rename' }>): Transition {
  return {
    state: { ...state, step: { type: 'renaming', event } },
    effects: [{ type: 'write', refusable: true, write: { rename: event.title } }],
  }
}

export function renamed(state: ConversationState, { event: { key, title } }: Extract<Step, { type: 'renaming' }>): Transition {
  const facts = { conversation_id: state.conversationId, title, updated_at: new Date(state.updatedAt).toISOString() }
  const effects: Effect[] = [
    { type: 'emit', event: { type: 'conversation.updated', ...facts } },
    { type: 'answer', key, answer: { type: 'renamed', reply: { type: 'conversation.renamed', ...facts } } },
  ]
  return { state: { ...state, title }, effects }
}
