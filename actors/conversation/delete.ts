/** A conversation is deleted, with all that is under way in it. */
import { endEvent, endTurn } from './ending.ts'
import type { DurableEvent, Effect } from './events.ts'
import type { ConversationState, Step } from './state.ts'
import { abortRun, type Transition } from './transitions.ts'
import type { Turn } from './turn.ts'

export function remove(state: ConversationState, event: Extract<DurableEvent, { type: 'delete' }>): Transition {
  return {
    state: { ...state, step: { type: 'deleting', event } },
    effects: [{ type: 'write', refusable: true, write: { remove: true } }],
  }
}

/** Its turns end for whoever waits for them, though their replies are stored no more than the rest. */
export function removed(state: ConversationState, { event: { key } }: Extract<Step, { type: 'deleting' }>, now: number): Transition {
  const ends = state.turns.flatMap((turn): Effect[] => [
    { type: 'emit', event: endEvent(endTurn(asFarAsKnown(turn), now, { end: { type: 'finished', reason: 'stopped' } })) },
    ...abortRun(turn),
  ])
  return {
    state: { ...state, turns: [] },
    effects: [
      ...ends,
      { type: 'emit', event: { type: 'conversation.deleted', conversation_id: state.conversationId } },
      { type: 'answer', key, answer: { type: 'deleted' } },
      { type: 'deleted' },
    ],
  }
}

/** What an owner before this one showed is not known here: the end is another attempt's. */
function asFarAsKnown(turn: Turn): Turn {
  return turn.state === 'resuming' ? { ...turn, attempt: turn.attempt + 1 } : turn
}
