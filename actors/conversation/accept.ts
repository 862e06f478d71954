/** A user's message (or an edit, or a regenerate) becomes a turn. */
import type { AcceptEvent, Effect } from './events.ts'
import { endEvent, endTurn } from './ending.ts'
import { rules } from './rules.ts'
import type { ConversationState, Step } from './state.ts'
import { untouched, type Turn } from './turn.ts'
import { titleFrom } from './title.ts'
import { abortFirst, abortRun, answer, head, type Transition } from './transitions.ts'

export function acceptTurn(state: ConversationState, command: AcceptEvent): Transition {
  const parentId = command.user.parentId === undefined ? state.leaf : command.user.parentId
  // A message below a reply that waits still cannot go before it.
  const parentWaits = state.turns.some((turn) => turn.state === 'waiting' && turn.replyMessageId === parentId)
  const event: AcceptEvent = { ...command, interrupts: command.interrupts && !parentWaits, user: { ...command.user, parentId } }
  // A repeated command is settled by the store, and neither interrupts nor waits.
  const repeated = state.turns.some((turn) => turn.clientMessageId === event.clientMessageId)
  const interrupted = event.interrupts && !repeated ? head(state) : undefined
  const waits = !event.interrupts && state.turns.length > 0
  if (waits && !repeated && state.turns.filter((turn) => turn.state === 'waiting').length >= rules.waitingTurns) {
    return answer(state, event.key, { type: 'error', code: 'busy' })
  }
  const first = interrupted && abortFirst(state, interrupted, event)
  if (first) return first

  const ended = interrupted ? endTurn(interrupted, event.now, { end: { type: 'finished', reason: 'stopped' } }) : null
  const title = state.title === null && event.user.type === 'new' ? titleFrom(event.user.content) : null
  const turns = interrupted ? state.turns.map((turn) => (turn === interrupted ? { ...turn, cut: true } : turn)) : state.turns
  return {
    state: { ...state, turns, step: { type: 'accepting', event, ended, title } },
    effects: [
      {
        type: 'write',
        refusable: true,
        write: {
          ...(ended ? { ends: [ended.write] } : {}),
          ...(title === null ? {} : { title }),
          accept: {
            turnId: event.turnId,
            clientMessageId: event.clientMessageId,
            commandHash: event.commandHash,
            user: event.user.type === 'new' ? { ...event.user, parentId } : event.user,
            state: waits ? 'waiting' : 'queued',
            lane: event.lane,
            model: event.model,
            params: event.params,
            acceptedAt: event.now,
            deadlineAt: event.deadlineAt,
          },
        },
      },
    ],
  }
}

export function accepted(
  state: ConversationState,
  step: Extract<Step, { type: 'accepting' }>,
  ids: { readonly userMessageId: number; readonly replyMessageId: number } | null,
): Transition {
  const { event, ended } = step
  if (ids === null) return answer(state, event.key, { type: 'error', code: 'internal' })
  const parentId = event.user.parentId ?? null
  const others = ended ? state.turns.filter((turn) => turn.turnId !== ended.turn.turnId) : state.turns
  const waits = !event.interrupts && others.length > 0
  const turn: Turn = {
    turnId: event.turnId,
    clientMessageId: event.clientMessageId,
    userMessageId: ids.userMessageId,
    replyMessageId: ids.replyMessageId,
    parentId,
    lane: event.lane,
    traceparent: event.traceparent,
    requestedModel: event.model,
    params: event.params,
    acceptedAt: event.now,
    deadlineAt: event.deadlineAt,
    startedAt: null,
    state: waits ? 'waiting' : 'queued',
    attempt: 1,
    run: 0,
    bridge: null,
    mayGrantAhead: true,
    barrenGrants: 0,
    ...untouched,
  }
  const effects: Effect[] = [
    {
      type: 'answer',
      key: event.key,
      answer: {
        type: 'accepted',
        reply: {
          type: 'message.accepted',
          client_message_id: event.clientMessageId,
          conversation_id: state.conversationId,
          message_id: ids.userMessageId,
          parent_id: parentId,
          turn_id: event.turnId,
          reply_message_id: ids.replyMessageId,
          state: waits ? 'waiting' : 'queued',
          duplicate: false,
        },
      },
    },
  ]
  if (ended) effects.push({ type: 'emit', event: endEvent(ended) }, ...abortRun(ended.turn))
  if (event.user.type === 'new') {
    effects.push({
      type: 'emit',
      event: {
        type: 'message.added',
        conversation_id: state.conversationId,
        message: {
          message_id: ids.userMessageId,
          role: 'user',
          content: event.user.content,
          parent_id: parentId,
          turn_id: event.turnId,
          client_message_id: event.clientMessageId,
          created_at: new Date(event.now).toISOString(),
        },
      },
    })
  }
  if (step.title !== null) {
    effects.push({
      type: 'emit',
      event: { type: 'conversation.updated', conversation_id: state.conversationId, title: step.title, updated_at: new Date(event.now).toISOString() },
    })
  }
  effects.push({ type: 'emit', event: queuedEvent(state.conversationId, turn) })
  if (!waits) effects.push({ type: 'publish', turn })
  return {
    state: {
      ...state,
      title: step.title ?? state.title,
      updatedAt: Math.max(state.updatedAt, event.now),
      leaf: ids.replyMessageId,
      turns: waits ? [...others, turn] : [turn, ...others],
    },
    effects,
  }
}

export function queuedEvent(conversationId: number, turn: Turn, position: number | null = null, etaMs: number | null = null): Extract<Effect, { type: 'emit' }>['event'] {
  return {
    type: 'turn.queued',
    conversation_id: conversationId,
    turn_id: turn.turnId,
    user_message_id: turn.userMessageId,
    message_id: turn.replyMessageId,
    position,
    eta_ms: etaMs,
  }
}
