/** Text of a running turn arrives. */
import type { ConversationEvent, Effect } from './events.ts'
import type { ConversationState } from './state.ts'
import type { Turn } from './turn.ts'
import { isWellFormed } from '../../protocol/text.ts'
import { exceedsReply } from './rules.ts'
import { appendIds, dropIds } from './token-ids.ts'
import { findTurn, isRunOf, replaceTurn, stay, type Transition } from './transitions.ts'

type Delta = Extract<ConversationEvent, { type: 'delta' }>
type Attached = Extract<ConversationEvent, { type: 'attached' }>
type Added = Pick<Delta, 'now' | 'offset' | 'text' | 'idOffset' | 'ids'>
type Released = Extract<ConversationEvent, { type: 'released' }>

export function delta(state: ConversationState, event: Delta): Transition {
  const turn = findTurn(state, event.turnId)
  const { step } = state
  if (step?.type === 'beginning' && step.ahead && step.turn.turnId === event.turnId && isRunOf(step.turn, event.bridge, event.run)) {
    // A gap is asked for once the run is there to be asked about.
    if (turn?.cut === true || event.offset > step.turn.text.length || event.idOffset > step.turn.ids.count) return stay(state)
    const held = added(step.turn, event)
    return stay(held === null ? state : { ...state, step: { ...step, turn: held.turn } })
  }
  // Its grant is in the commit that ends it.
  if (step?.type === 'ending' && step.ended.write.granted !== undefined && step.ended.turn.turnId === event.turnId && isRunOf(step.ended.turn, event.bridge, event.run)) return stay(state)
  if (turn === undefined || !isRunOf(turn, event.bridge, event.run)) {
    return { state, effects: [{ type: 'abort', bridge: event.bridge, turnId: event.turnId, run: event.run }] }
  }
  // A new owner that attaches gets all of it by the answer to that.
  if (turn.cut) return stay(state)
  if (turn.state === 'resuming') return stay(heard(state, turn, event.now))
  if (event.offset > turn.text.length || event.idOffset > turn.ids.count) {
    if (turn.replayFrom !== null) return stay(heard(state, turn, event.now))
    return { state: heard(state, { ...turn, replayFrom: turn.text.length }, event.now), effects: attachEffect(turn) }
  }
  return append(state, turn, event)
}

function heard(state: ConversationState, turn: Turn, now: number): ConversationState {
  return replaceTurn(state, turn.turnId, () => ({ ...turn, heardAt: now }))
}

function append(state: ConversationState, turn: Turn, event: Added): Transition {
  const more = added(turn, event)
  if (more === null) return stay(state)
  const { text } = more
  return {
    state: replaceTurn(state, turn.turnId, () => more.turn),
    effects: text === '' ? [] : [{ type: 'show', turnId: turn.turnId, attempt: turn.attempt, text }],
  }
}

/** The turn with what the event adds, and that text; what overlaps with the text held is left out. */
function added(turn: Turn, event: Added): { readonly turn: Turn; readonly text: string } | null {
  const text = event.text.slice(turn.text.length - event.offset)
  // Never so by an offset that was sent from here or to here.
  if (startsInPair(text)) return null
  const ids = dropIds(event.ids, turn.ids.count - event.idOffset)
  return {
    text,
    turn: {
      ...turn,
      text: text === '' ? turn.text : turn.text + text,
      ids: appendIds(turn.ids, ids),
      heardAt: event.now,
      replayFrom: null,
      firstTextAt: text === '' ? turn.firstTextAt : (turn.firstTextAt ?? event.now),
    },
  }
}

/** The bridge's answer to `attach`: all of the run beyond what was held. */
export function attached(state: ConversationState, event: Attached): Transition {
  const turn = findTurn(state, event.turnId)
  if (turn === undefined || turn.run !== event.run || turn.cut) return stay(state)
  const fits = event.answer !== null && isWellFormed(event.answer.text) && !exceedsReply(event.offset + event.answer.text.length, event.idOffset + event.answer.ids.byteLength / 4)
  if (event.answer === null || !fits) {
    // Nobody holds the run, or says what can be taken: the job's redelivery may be granted at once. A live run is asked again at the next gap.
    return stay(replaceTurn(state, turn.turnId, () => ({ ...turn, replayFrom: null, heardAt: turn.state === 'resuming' ? 0 : turn.heardAt })))
  }
  if (event.offset > turn.text.length || event.idOffset > turn.ids.count) return stay(state)
  return append(state, { ...turn, state: 'running' }, { now: event.now, offset: event.offset, text: event.answer.text, idOffset: event.idOffset, ids: event.answer.ids })
}

/** Nothing more comes of the run: another bridge may be granted the turn at once. */
export function released(state: ConversationState, event: Released): Transition {
  const turn = findTurn(state, event.turnId)
  if (turn === undefined || turn.run !== event.run || turn.cut) return stay(state)
  return stay(heard(state, { ...turn, replayFrom: null }, 0))
}

export function attachEffect(turn: Turn): Effect[] {
  if (turn.bridge === null) return []
  return [{ type: 'attach', bridge: turn.bridge, turnId: turn.turnId, run: turn.run, offset: turn.text.length, idOffset: turn.ids.count }]
}

/** Cut from the half of a pair of surrogates before it. */
export function startsInPair(text: string): boolean {
  const first = text.charCodeAt(0)
  return first >= 0xdc00 && first <= 0xdfff
}
