/**
 * A run that finishes before its grant was committed: both are in one commit, and what it said is shown after that. Until then
 * the turn stands as it did before the grant, for whoever opens the conversation and for whoever takes it over.
 */
import { grantedTurn, grantWrite } from './begin.ts'
import type { FinishEvent } from './events.ts'
import { ending, finish } from './finish.ts'
import type { ConversationState } from './state.ts'
import { findTurn, replaceTurn, type Transition } from './transitions.ts'

/** The grant's write has been taken back. A finish that does not end the turn has its answer, and the grant is written after all. */
export function withdrawn(state: ConversationState, event: FinishEvent): Transition {
  const { step } = state
  const before = step?.type === 'beginning' && step.ahead ? findTurn(state, step.turn.turnId) : undefined
  if (step?.type !== 'beginning' || before === undefined) return { state, effects: [{ type: 'answer', key: event.key, answer: { type: 'busy', retryMs: 0 } }] }
  const free: ConversationState = { ...state, step: null }
  const turn = grantedTurn(state, step, before, event.now)
  const begin = grantWrite(step.turn, step.event)
  const finished = finish(replaceTurn(free, turn.turnId, () => turn), event)
  if (finished.state.step?.type !== 'ending') return { state, effects: [...finished.effects, { type: 'write', refusable: true, write: { begin } }] }
  const { ended } = finished.state.step
  const { bridge, barrenGrants, startedAt } = begin
  return ending(free, { turn: ended.turn, write: { ...ended.write, granted: { bridge, barrenGrants, startedAt } } }, { type: 'finish', key: event.key })
}
