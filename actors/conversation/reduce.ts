/**
 * The conversation's state machine: pure and total. Durable events come one after another, each after the step of the
 * one before is done (`state.step === null`); should one come earlier, it is answered as busy and changes nothing.
 */
import { acceptTurn, accepted } from './accept.ts'
import { begin, begun } from './begin.ts'
import type { ConversationEvent, DurableEvent, Effect } from './events.ts'
import { remove, removed } from './delete.ts'
import { endTurn } from './ending.ts'
import { ended, ending, expire, finish, stop } from './finish.ts'
import { withdrawn } from './granted-end.ts'
import { attached, delta, released } from './progress.ts'
import { rename, renamed } from './rename.ts'
import { abortRun, replaceTurn, stay, type Transition } from './transitions.ts'
import type { ConversationState, Ended, Step } from './state.ts'
import type { TurnRow } from '../../storage/conversation-store.ts'

export function reduce(state: ConversationState, event: ConversationEvent): Transition {
  switch (event.type) {
    case 'delta':
      return delta(state, event)
    case 'attached':
      return attached(state, event)
    case 'released':
      return released(state, event)
    case 'cut':
      return { state: replaceTurn(state, event.turnId, (turn) => ({ ...turn, cut: true })), effects: [] }
    case 'written':
      return written(state, event)
    case 'unwritten':
      return unwritten(state)
    case 'withdrawn':
      return withdrawn(state, event.finish)
    case 'aborted':
      return aborted(state, event)
    case 'accept':
    case 'begin':
    case 'stop':
    case 'finish':
    case 'expire':
    case 'rename':
    case 'delete':
      return state.step === null ? durable(state, event) : { state, effects: tooEarly(event) }
  }
}

function durable(state: ConversationState, event: DurableEvent): Transition {
  switch (event.type) {
    case 'accept':
      return acceptTurn(state, event)
    case 'begin':
      return begin(state, event)
    case 'stop':
      return stop(state, event)
    case 'finish':
      return finish(state, event)
    case 'expire':
      return expire(state, event)
    case 'rename':
      return rename(state, event)
    case 'delete':
      return remove(state, event)
  }
}

function tooEarly(event: DurableEvent): Effect[] {
  switch (event.type) {
    case 'accept':
    case 'stop':
    case 'rename':
    case 'delete':
      return [{ type: 'answer', key: event.key, answer: { type: 'error', code: 'busy' } }]
    case 'begin':
    case 'finish':
      return [{ type: 'answer', key: event.key, answer: { type: 'busy', retryMs: 0 } }]
    case 'expire':
      return []
  }
}

/** The commit of the step has an outcome. */
function written(state: ConversationState, event: Extract<ConversationEvent, { type: 'written' }>): Transition {
  const { step } = state
  if (step === null || step.type === 'aborting') return stay(state)
  const free: ConversationState = { ...state, step: null }
  switch (event.result.status) {
    case 'committed':
      switch (step.type) {
        case 'accepting':
          return accepted(free, step, event.result.accepted ?? null)
        case 'beginning':
          return begun(free, step, event.now)
        case 'ending':
          return ended(free, step)
        case 'renaming':
          return renamed(free, step)
        case 'deleting':
          return removed(free, step, event.now)
      }
      break
    case 'duplicate':
      return step.type === 'accepting'
        ? { state: restoreCut(free, step), effects: [{ type: 'answer', key: step.event.key, answer: { type: 'accepted', reply: duplicateReply(event.result.turn) } }] }
        : stay(free)
    case 'conflict':
      return { state: restoreCut(free, step), effects: refusal(step, 'idempotency_conflict') }
    case 'refused':
      return step.type === 'ending' && !isEmpty(step.ended) ? endEmpty(free, step, event.now) : { state: restoreCut(free, step), effects: refusal(step, 'internal') }
    case 'missed':
    case 'stale':
      return { state: free, effects: [...refusal(step, 'moved'), { type: 'drop' }] }
  }
}

/** A text that cannot be stored must not stay on a screen either: the turn fails, under an attempt that shows nothing. */
function endEmpty(state: ConversationState, step: Extract<Step, { type: 'ending' }>, now: number): Transition {
  const { turn, write } = step.ended
  const error = { code: 'internal', message: 'The reply could not be stored.', retryable: false }
  return ending(state, endTurn({ ...turn, text: '', model: null, attempt: turn.attempt + 1 }, now, { end: { type: 'failed', error }, ...(write.granted === undefined ? {} : { granted: write.granted }) }), step.answer)
}

/** Nothing is left to leave out of the end. */
function isEmpty({ write }: Ended): boolean {
  return write.content === '' && write.model === null && write.end.type === 'failed'
}

function unwritten(state: ConversationState): Transition {
  const { step } = state
  if (step === null || step.type === 'aborting') return stay(state)
  return { state: restoreCut({ ...state, step: null }, step), effects: refusal(step, 'unavailable') }
}

export function duplicateReply(turn: TurnRow) {
  return {
    type: 'message.accepted' as const,
    client_message_id: turn.clientMessageId,
    conversation_id: turn.conversationId,
    message_id: turn.userMessageId,
    parent_id: turn.parentId,
    turn_id: turn.turnId,
    reply_message_id: turn.replyMessageId,
    state: turn.state,
    duplicate: true,
  }
}

/** Nothing was written: text is taken again of a turn that would have ended, and what came meanwhile is asked for. */
function restoreCut(state: ConversationState, step: Step): ConversationState {
  const ended = step.type === 'accepting' || step.type === 'ending' ? step.ended : null
  if (ended === null) return state
  return replaceTurn(state, ended.turn.turnId, (turn) => ({ ...turn, cut: false, replayFrom: null }))
}

function refusal(step: Exclude<Step, { type: 'aborting' }>, code: 'idempotency_conflict' | 'internal' | 'moved' | 'unavailable'): Effect[] {
  switch (step.type) {
    case 'accepting':
    case 'renaming':
    case 'deleting':
      return [{ type: 'answer', key: step.event.key, answer: { type: 'error', code } }]
    case 'beginning':
      if (!step.ahead) return [{ type: 'answer', key: step.event.key, answer: { type: 'busy', retryMs: 1_000 } }]
      // The next owner attaches to the run where its grant is stored after all.
      return code === 'moved' ? [] : abortRun(step.turn)
    case 'ending':
      switch (step.answer?.type) {
        case undefined:
          return []
        case 'stop':
          return [{ type: 'answer', key: step.answer.key, answer: { type: 'error', code } }]
        case 'finish':
        case 'begin':
          return [{ type: 'answer', key: step.answer.key, answer: { type: 'busy', retryMs: 1_000 } }]
      }
  }
}

/** The bridge said all that it ever sent of the run, or nothing in time: now the event that waited for it goes on. */
function aborted(state: ConversationState, event: Extract<ConversationEvent, { type: 'aborted' }>): Transition {
  const { step } = state
  if (step?.type !== 'aborting') return stay(state)
  const settled = replaceTurn({ ...state, step: null }, step.turnId, (turn) => ({
    ...turn,
    state: 'running',
    // Without its last word, clients may show text that nobody knows: a higher attempt makes them drop it.
    attempt: event.text === null ? turn.attempt + 1 : turn.attempt,
    text: event.text ?? '',
    firstTextAt: event.text ? (turn.firstTextAt ?? event.now) : turn.firstTextAt,
    cut: true,
  }))
  const turn = settled.turns.find((candidate) => candidate.turnId === step.turnId)
  const shown: Effect[] = turn === undefined || turn.text === '' ? [] : [{ type: 'show', turnId: turn.turnId, attempt: turn.attempt, text: turn.text }]
  const next = reduce(settled, step.event)
  return { state: next.state, effects: [...shown, ...next.effects] }
}
