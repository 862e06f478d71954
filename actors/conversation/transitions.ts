import type { DurableEvent, Effect } from './events.ts'
import type { ConversationState } from './state.ts'
import type { Turn } from './turn.ts'

export interface Transition {
  readonly state: ConversationState
  readonly effects: readonly Effect[]
}

export function stay(state: ConversationState): Transition {
  return { state, effects: [] }
}

export function answer(state: ConversationState, key: number, value: Extract<Effect, { type: 'answer' }>['answer']): Transition {
  return { state, effects: [{ type: 'answer', key, answer: value }] }
}

export function findTurn(state: ConversationState, turnId: string): Turn | undefined {
  return state.turns.find((turn) => turn.turnId === turnId)
}

/** Whether this bridge speaks of the turn's run, and not of another, nor for another bridge. */
export function isRunOf(turn: Turn, bridge: string, run: number): boolean {
  return turn.run === run && turn.bridge === bridge
}

export function replaceTurn(state: ConversationState, turnId: string, change: (turn: Turn) => Turn): ConversationState {
  return { ...state, turns: state.turns.map((turn) => (turn.turnId === turnId ? change(turn) : turn)) }
}

/** The turn that is not waiting, if there is one. */
export function head(state: ConversationState): Turn | undefined {
  const first = state.turns[0]
  return first !== undefined && first.state !== 'waiting' ? first : undefined
}

/**
 * The run whose text this owner does not hold: its bridge is asked for its last word, and the event goes on after it.
 * Undefined where the turn can be ended as it stands.
 */
export function abortFirst(state: ConversationState, turn: Turn, event: DurableEvent): Transition | undefined {
  if (turn.state !== 'resuming' || turn.bridge === null) return undefined
  return {
    // Cut: an answer to `attach` that comes first would show what the last word shows once more.
    state: { ...replaceTurn(state, turn.turnId, (each) => ({ ...each, cut: true })), step: { type: 'aborting', turnId: turn.turnId, event } },
    effects: [{ type: 'askAbort', bridge: turn.bridge, turnId: turn.turnId, run: turn.run }],
  }
}

/** The bridge of a turn that ends without it is told to stop. */
export function abortRun(turn: Turn): Effect[] {
  return turn.run > 0 && turn.bridge !== null ? [{ type: 'abort', bridge: turn.bridge, turnId: turn.turnId, run: turn.run }] : []
}
