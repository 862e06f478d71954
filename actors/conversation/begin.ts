/**
 * A bridge asks for the grant to generate a turn's reply. A grant is answered once it is committed, but for the first, run 1,
 * by the owner that accepted the turn: that one is answered at once, and the engine begins while the commit is made. Nobody
 * else ever grants a run 1, nor does this owner twice, and nothing of it is shown before the commit. So an owner that dies
 * between leaves a run that no other can be mistaken for, and of which nobody has seen anything. So the commit has time: it
 * may wait for others, and a run that has finished meanwhile is granted and ended by one.
 */
import type { BeginTurn } from '../../storage/conversation-store.ts'
import { endTurn } from './ending.ts'
import type { BeginEvent, Effect } from './events.ts'
import { heldText, startedEffect } from './first-shown.ts'
import { rules } from './rules.ts'
import type { ConversationState, Step } from './state.ts'
import type { Turn } from './turn.ts'
import { emptyIds } from './token-ids.ts'
import { answer, findTurn, replaceTurn, type Transition } from './transitions.ts'
import { ending } from './finish.ts'

type Beginning = Extract<Step, { type: 'beginning' }>

export function begin(state: ConversationState, event: BeginEvent): Transition {
  const turn = findTurn(state, event.turnId)
  if (turn === undefined || turn.state === 'waiting' || turn.cut) return answer(state, event.key, { type: 'gone' })
  const silent = event.now - turn.heardAt >= rules.runSilenceMs
  // A bridge that asks anew because it cannot go on is the run's own.
  const ownRun = event.fresh && turn.bridge === event.bridge
  if (turn.run > 0 && !silent && !ownRun) {
    return answer(state, event.key, { type: 'busy', retryMs: turn.state === 'resuming' ? rules.resumingRetryMs : rules.busyRetryMs })
  }
  const barrenGrants = turn.run === 0 || turn.text.length > turn.textAtGrant ? 0 : turn.barrenGrants + 1
  if (barrenGrants >= rules.barrenGrants) {
    // What an owner before this one showed is not known here: the end is another attempt's.
    const known = turn.state === 'resuming' ? { ...turn, attempt: turn.attempt + 1 } : turn
    const ended = endTurn(known, event.now, { end: { type: 'failed', error: { code: 'engine_unavailable', message: 'No inference engine could complete the reply.', retryable: true } }, deadLetter: true })
    return ending(state, ended, { type: 'begin', key: event.key })
  }
  const granted = { ...grant(turn, event, barrenGrants), model: modelOf(state, turn, event) }
  const ahead = turn.mayGrantAhead
  return {
    state: { ...replaceTurn(state, turn.turnId, () => ({ ...turn, mayGrantAhead: false })), step: { type: 'beginning', event, turn: granted, ahead } },
    effects: [
      ...(ahead ? [grantedAnswer(event.key, granted)] : []),
      // The bridge has its answer: the commit is waited for only once there is something to show.
      { type: 'write', refusable: true, held: ahead, write: { begin: grantWrite(granted, event) } },
    ],
  }
}

function grant(turn: Turn, event: BeginEvent, barrenGrants: number): Turn {
  // Text that was shown can be gone on from only where its token ids are known, by the model that wrote it.
  const lost = turn.state === 'resuming' || event.fresh || (turn.text !== '' && turn.ids.count === 0) || turn.idsEndEarly
  const anew = turn.run > 0 && lost
  return {
    ...turn,
    state: 'running',
    mayGrantAhead: false,
    // Run 1 may have been granted by the owner that accepted the turn, without a commit.
    run: turn.mayGrantAhead ? 1 : Math.max(turn.run, 1) + 1,
    attempt: anew ? turn.attempt + 1 : turn.attempt,
    bridge: event.bridge,
    barrenGrants,
    startedAt: turn.startedAt ?? event.now,
    text: anew ? '' : turn.text,
    ids: anew ? emptyIds : turn.ids,
    idsEndEarly: false,
    textAtGrant: anew ? 0 : turn.text.length,
    heardAt: event.now,
    replayFrom: null,
  }
}

/** The grant is committed. The turn may have been cut, or the old run may have said more, while it was written. */
export function begun(state: ConversationState, step: Beginning, now: number): Transition {
  const before = findTurn(state, step.event.turnId)
  if (before === undefined) return answer(state, step.event.key, { type: 'gone' })
  const turn = grantedTurn(state, step, before, now)
  const started: Effect[] = before.run === 0 || turn.attempt > before.attempt ? [startedEffect(state.conversationId, turn, turn.model)] : []
  return {
    state: replaceTurn(state, turn.turnId, () => turn),
    effects: [...started, ...(step.ahead ? heldText(turn) : [grantedAnswer(step.event.key, turn)])],
  }
}

/** The turn under the grant of the step. */
export function grantedTurn(state: ConversationState, step: Beginning, before: Turn, now: number): Turn & { readonly model: string } {
  const anew = step.turn.attempt > before.attempt
  return {
    ...step.turn,
    model: modelOf(state, before, step.event),
    heardAt: now,
    cut: before.cut,
    // The old run's deltas that came meanwhile were shown: the new one goes on from them.
    ...(anew || step.ahead ? {} : { text: before.text, ids: before.ids, firstTextAt: before.firstTextAt, textAtGrant: before.text.length }),
  }
}

export function grantWrite({ turnId, run, attempt, barrenGrants, startedAt }: Turn, { bridge, now }: BeginEvent): BeginTurn {
  return { turnId, run, attempt, bridge, barrenGrants, startedAt: startedAt ?? now }
}

function modelOf(state: ConversationState, turn: Turn, event: BeginEvent): string {
  return turn.requestedModel ?? state.model ?? event.defaultModel
}

function grantedAnswer(key: number, turn: Turn): Effect {
  return { type: 'answer', key, answer: { type: 'granted', turn, resume: turn.text !== '' } }
}
