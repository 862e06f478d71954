/**
 * A bridge asks for the grant to generate a turn's reply. A grant is answered once it is committed, but for the first, run 1,
 * by the owner that accepted the turn: that one is answered at once, and the engine begins while the commit is made. Nobody
 * else ever grants a run 1, nor does this owner twice, and nothing of it is shown before the commit. So an owner that dies
 * between leaves a run that no other can be mistaken for, and of which nobody has seen anything.
 */
import { endTurn } from './ending.ts'
import type { BeginEvent, Effect } from './events.ts'
import { rules } from './rules.ts'
import type { ConversationState, Step } from './state.ts'
import type { Turn } from './turn.ts'
import { emptyIds } from './token-ids.ts'
import { answer, findTurn, replaceTurn, type Transition } from './transitions.ts'
import { ending } from './finish.ts'

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
      {
        type: 'write',
        refusable: true,
        write: { begin: { turnId: turn.turnId, run: granted.run, attempt: granted.attempt, bridge: event.bridge, barrenGrants, startedAt: granted.startedAt ?? event.now } },
      },
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
export function begun(state: ConversationState, step: Extract<Step, { type: 'beginning' }>, now: number): Transition {
  const before = findTurn(state, step.event.turnId)
  if (before === undefined) return answer(state, step.event.key, { type: 'gone' })
  const anew = step.turn.attempt > before.attempt
  const model = modelOf(state, before, step.event)
  const turn: Turn = {
    ...step.turn,
    model,
    heardAt: now,
    cut: before.cut,
    // The old run's deltas that came meanwhile were shown: the new one goes on from them.
    ...(anew || step.ahead ? {} : { text: before.text, ids: before.ids, firstTextAt: before.firstTextAt, textAtGrant: before.text.length }),
  }
  const started: Effect[] =
    before.run === 0 || anew
      ? [
          {
            type: 'emit',
            event: {
              type: 'turn.started',
              conversation_id: state.conversationId,
              turn_id: turn.turnId,
              user_message_id: turn.userMessageId,
              message_id: turn.replyMessageId,
              attempt: turn.attempt,
              model,
            },
          },
        ]
      : []
  return {
    state: { ...state, turns: state.turns.map((other) => (other.turnId === turn.turnId ? turn : other)) },
    effects: [...started, ...(step.ahead ? heldText(turn) : [grantedAnswer(step.event.key, turn)])],
  }
}

function modelOf(state: ConversationState, turn: Turn, event: BeginEvent): string {
  return turn.requestedModel ?? state.model ?? event.defaultModel
}

function grantedAnswer(key: number, turn: Turn): Effect {
  return { type: 'answer', key, answer: { type: 'granted', turn, resume: turn.text !== '' } }
}

/** What came ahead of the commit. */
function heldText({ turnId, attempt, text }: Turn): Effect[] {
  return text === '' ? [] : [{ type: 'show', turnId, attempt, text }]
}
