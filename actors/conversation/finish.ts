/** A turn ends: its bridge says so, a user stops it, or its time is up. */
import { isWellFormed } from '../../protocol/text.ts'
import { deadLetterOf, endEvent, endTurn } from './ending.ts'
import type { ConversationEvent, Effect } from './events.ts'
import { queuedEvent } from './accept.ts'
import { heldText, startedEffect } from './first-shown.ts'
import { exceedsReply } from './rules.ts'
import type { ConversationState, EndAnswer, Ended, Step } from './state.ts'
import { abortFirst, abortRun, answer, findTurn, head, isRunOf, replaceTurn, type Transition } from './transitions.ts'

type Finish = Extract<ConversationEvent, { type: 'finish' }>

export function finish(state: ConversationState, { key, now, request }: Finish): Transition {
  const turn = findTurn(state, request.turn_id)
  if (turn === undefined) return answer(state, key, { type: 'ask_store' })
  if (!isRunOf(turn, request.bridge, request.run)) return answer(state, key, { type: 'abort' })
  if (request.offset > turn.text.length) return answer(state, key, { type: 'gap', have: turn.text.length })
  const tail = request.text.slice(turn.text.length - request.offset)
  // No bridge of ours says so, and nothing of it may be shown.
  if (!isWellFormed(tail) || exceedsReply(turn.text.length + tail.length, 0)) return answer(state, key, { type: 'abort' })
  const whole = tail === '' ? turn : { ...turn, text: turn.text + tail, firstTextAt: turn.firstTextAt ?? now }
  const end = request.outcome.type === 'finished' ? { type: 'finished' as const, reason: request.outcome.reason } : { type: 'failed' as const, error: request.outcome.error }
  const facts = { end, usage: request.usage, model: request.model, cached: request.cached, costUsd: request.cost_usd }
  // Beats stop with the run, and no other bridge may be granted the turn while its end is written. Should it not be
  // written, no other can go on from a text of which some ids are not known: it begins anew.
  const next = replaceTurn(state, turn.turnId, () => ({ ...whole, idsEndEarly: turn.idsEndEarly || tail !== '', state: 'running', heardAt: now, cut: true }))
  const shown: Effect[] = tail === '' ? [] : [{ type: 'show', turnId: turn.turnId, attempt: turn.attempt, text: tail }]
  const transition = ending(next, endTurn(whole, now, facts), { type: 'finish', key })
  return { state: transition.state, effects: [...shown, ...transition.effects] }
}

export function stop(state: ConversationState, event: Extract<ConversationEvent, { type: 'stop' }>): Transition {
  const turn = findTurn(state, event.turnId)
  if (turn === undefined) return answer(state, event.key, { type: 'ask_store' })
  const first = abortFirst(state, turn, event)
  if (first) return first
  return ending(state, endTurn(turn, event.now, { end: { type: 'finished', reason: 'stopped' } }), { type: 'stop', key: event.key })
}

export function expire(state: ConversationState, event: Extract<ConversationEvent, { type: 'expire' }>): Transition {
  const turn = findTurn(state, event.turnId)
  if (turn === undefined || event.now < turn.deadlineAt) return { state, effects: [] }
  const first = abortFirst(state, turn, event)
  if (first) return first
  const error = { code: 'deadline_exceeded', message: 'The reply was not complete in time.', retryable: true }
  return ending(state, endTurn(turn, event.now, { end: { type: 'failed', error }, deadLetter: true }), null)
}

/** Writes the end, and lets the next waiting turn begin where the head is what ends. */
export function ending(state: ConversationState, ended: Ended, endAnswer: EndAnswer | null): Transition {
  const isHead = head(state)?.turnId === ended.turn.turnId
  const promoted = isHead ? (state.turns[1]?.turnId ?? null) : null
  return {
    state: {
      ...replaceTurn(state, ended.turn.turnId, (turn) => ({ ...turn, cut: true })),
      step: { type: 'ending', ended, promoted, answer: endAnswer },
    },
    effects: [{ type: 'write', refusable: false, write: { ends: [ended.write], ...(promoted === null ? {} : { promote: promoted }) } }],
  }
}

export function ended(state: ConversationState, step: Extract<Step, { type: 'ending' }>): Transition {
  const turns = state.turns
    .filter((turn) => turn.turnId !== step.ended.turn.turnId)
    .map((turn) => (turn.turnId === step.promoted ? { ...turn, state: 'queued' as const } : turn))
  const next: ConversationState = { ...state, turns }
  const { turn, write } = step.ended
  const effects: Effect[] = []
  // Of a run whose grant was committed just now nothing was shown yet. One without a model could not be stored as it was.
  if (write.granted !== undefined && turn.model !== null) effects.push(startedEffect(state.conversationId, turn, turn.model), ...heldText(turn))
  effects.push({ type: 'emit', event: endEvent(step.ended) })
  // A run that finished by itself needs no abort.
  if (step.answer?.type !== 'finish') effects.push(...abortRun(turn))
  if (step.answer !== null) effects.push({ type: 'answer', key: step.answer.key, answer: answerOf(step.answer, step.ended) })
  const letter = deadLetterOf(state.conversationId, step.ended)
  if (letter !== null) effects.push({ type: 'deadLetter', letter })
  const promoted = step.promoted === null ? undefined : findTurn(next, step.promoted)
  if (promoted !== undefined) effects.push({ type: 'emit', event: queuedEvent(state.conversationId, promoted) }, { type: 'publish', turn: promoted })
  return { state: next, effects }
}

function answerOf(waiting: EndAnswer, { turn }: Ended): Extract<Effect, { type: 'answer' }>['answer'] {
  switch (waiting.type) {
    case 'finish':
      return { type: 'confirmed' }
    case 'stop':
      return { type: 'stopped', turnId: turn.turnId }
    case 'begin':
      return { type: 'gone' }
  }
}
