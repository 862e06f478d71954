/** What the server says of a conversation, as changes of what the client holds. Pure; an unchanged state is returned as it is. */
import type { ConversationOpened, TurnSnapshot } from '../protocol/websocket/commands/conversation-open.ts'
import type { History } from '../protocol/websocket/commands/history-get.ts'
import type { MessageAccepted } from '../protocol/websocket/commands/message-send.ts'
import type { ConversationUpdated } from '../protocol/websocket/events/conversation-updated.ts'
import type { MessageAdded } from '../protocol/websocket/events/message-added.ts'
import type { TurnDelta } from '../protocol/websocket/events/turn-delta.ts'
import type { TurnFailed } from '../protocol/websocket/events/turn-failed.ts'
import type { TurnFinished } from '../protocol/websocket/events/turn-finished.ts'
import type { TurnQueued } from '../protocol/websocket/events/turn-queued.ts'
import type { TurnStarted } from '../protocol/websocket/events/turn-started.ts'
import { findMessage, fromWire, heldMessages, mergeMessages, type ChatMessage, type ConversationState, type LiveTurn } from './conversation-state.ts'

/** Events that have their place after those before them. */
type PlacedEvent = MessageAdded | TurnQueued | TurnStarted | TurnDelta | TurnFinished | TurnFailed
export type ConversationMessage = ConversationOpened | History | MessageAccepted | ConversationUpdated | PlacedEvent

export interface ReduceContext {
  /** ISO 8601, for a reply that ends now. */
  readonly now: string
  /** Of conversation.opened: whether the request had a cursor. */
  readonly hadCursor?: boolean
}

export function reduce(state: ConversationState, message: ConversationMessage, context: ReduceContext): ConversationState {
  switch (message.type) {
    case 'conversation.opened': return opened(state, message, context.hadCursor === true)
    case 'history': return loaded(state, message)
    case 'message.accepted': return accepted(state, message)
    case 'conversation.updated': return { ...state, title: message.title }
    // After a gap nothing can be placed any more; opening again brings all of it.
    default: return state.desynced ? state : happened(state, message, context.now)
  }
}

function happened(state: ConversationState, message: PlacedEvent, now: string): ConversationState {
  switch (message.type) {
    case 'message.added': return added(state, message)
    case 'turn.queued': return queued(state, message)
    case 'turn.started': return started(state, message)
    case 'turn.delta': return delta(state, message)
    case 'turn.finished': return ended(state, message, now)
    case 'turn.failed': return ended(state, message, now)
  }
}

function opened(state: ConversationState, message: ConversationOpened, hadCursor: boolean): ConversationState {
  const anew = !hadCursor || message.reset
  // More was said than one page holds: what is held would have a hole before the page.
  const held = anew || message.has_more ? [] : state.messages
  const messages = mergeMessages(held, message.messages.map(fromWire))
  const turns: LiveTurn[] = []
  let desynced = false
  for (const snapshot of message.turns) {
    const turn = fromSnapshot(anew ? undefined : findTurn(state, snapshot.turn_id), snapshot)
    if (turn === null) desynced = true
    else turns.push(turn)
  }
  return withoutArrived(withinBound({
    ...state,
    status: 'open',
    error: null,
    title: message.title,
    messages,
    hasOlder: anew || message.has_more ? message.has_more : state.hasOlder,
    turns,
    newestSeen: message.messages.reduce((newest, { message_id }) => higher(newest, message_id), anew ? null : state.newestSeen),
    desynced,
  }))
}

/** Null where the snapshot begins beyond what is held. */
function fromSnapshot(held: LiveTurn | undefined, snapshot: TurnSnapshot): LiveTurn | null {
  const known = held?.attempt === snapshot.attempt ? held : { text: '', end: 0 }
  if (snapshot.offset > known.end) return null
  // A server that has just taken the turn over may hold less than we do: of one attempt, what is held stays true.
  const behind = snapshot.end <= known.end
  return {
    turnId: snapshot.turn_id,
    userMessageId: snapshot.user_message_id,
    replyMessageId: snapshot.message_id,
    state: snapshot.state,
    attempt: snapshot.attempt,
    text: behind ? known.text : known.text + snapshot.text.slice(known.end - snapshot.offset),
    end: behind ? known.end : snapshot.end,
    model: snapshot.model ?? null,
    position: snapshot.position ?? null,
    etaMs: null,
  }
}

function loaded(state: ConversationState, message: History): ConversationState {
  const messages = mergeMessages(state.messages, message.messages.map(fromWire))
  return { ...state, messages, hasOlder: message.has_more && messages.length < heldMessages }
}

function accepted(state: ConversationState, message: MessageAccepted): ConversationState {
  const entry = state.outbox.find(({ clientMessageId }) => clientMessageId === message.client_message_id)
  const outbox = entry === undefined ? state.outbox : state.outbox.filter((other) => other !== entry)
  // Not yet part of newestSeen: this answer may have overtaken the message of another device before it.
  const own: ChatMessage[] =
    entry === undefined || entry.kind === 'regenerate' || findMessage(state.messages, message.message_id) !== undefined
      ? []
      : [{ id: message.message_id, parentId: message.parent_id, role: 'user', text: entry.text, turnId: message.turn_id, clientMessageId: message.client_message_id, createdAt: entry.createdAt }]
  const next = { ...state, outbox, messages: mergeMessages(state.messages, own) }
  if (message.state === 'finished' || message.state === 'failed' || findTurn(state, message.turn_id) !== undefined) return next
  return withTurn(next, { ...unstarted(message.turn_id, message.message_id, message.reply_message_id), state: message.state })
}

function added(state: ConversationState, { message }: MessageAdded): ConversationState {
  const messages = mergeMessages(state.messages, [fromWire(message)])
  return withoutArrived(withinBound({ ...state, messages, newestSeen: higher(state.newestSeen, message.message_id) }))
}

function queued(state: ConversationState, message: TurnQueued): ConversationState {
  const turn = findTurn(state, message.turn_id) ?? unstarted(message.turn_id, message.user_message_id, message.message_id)
  // An edit goes before those that wait already, so its place says nothing.
  const isBehind = state.turns.some((other) => other.turnId !== turn.turnId && other.state !== 'waiting')
  return withTurn(state, { ...turn, state: message.position === null && isBehind ? 'waiting' : 'queued', position: message.position, etaMs: message.eta_ms })
}

function started(state: ConversationState, message: TurnStarted): ConversationState {
  const turn = findTurn(state, message.turn_id) ?? unstarted(message.turn_id, message.user_message_id, message.message_id)
  if (message.attempt < turn.attempt) return state
  const shown = message.attempt > turn.attempt ? { attempt: message.attempt, text: '', end: 0 } : {}
  return withTurn(state, { ...turn, ...shown, state: 'running', model: message.model, position: null, etaMs: null })
}

function delta(state: ConversationState, message: TurnDelta): ConversationState {
  const turn = findTurn(state, message.turn_id)
  if (turn === undefined || message.attempt < turn.attempt) return state
  const known = message.attempt === turn.attempt ? turn : { text: '', end: 0 }
  if (message.offset > known.end) return { ...state, desynced: true }
  if (message.attempt === turn.attempt && message.end <= turn.end) return state
  const text = message.offset === known.end ? message.text : message.text.slice(known.end - message.offset)
  return withTurn(state, { ...turn, state: 'running', position: null, etaMs: null, attempt: message.attempt, text: known.text + text, end: message.end })
}

function ended(state: ConversationState, message: TurnFinished | TurnFailed, now: string): ConversationState {
  const turn = findTurn(state, message.turn_id)
  if (turn === undefined) return state
  // An end with a higher attempt voids the text that was shown; what is stored instead is asked for, unless it is nothing.
  const text = message.attempt === turn.attempt ? turn.text : ''
  if (message.attempt < turn.attempt || message.end !== (message.attempt === turn.attempt ? turn.end : 0)) return { ...state, desynced: true }
  const model = (message.type === 'turn.finished' ? message.model : null) ?? turn.model
  const reply: ChatMessage = {
    id: message.message_id,
    parentId: turn.userMessageId,
    role: 'assistant',
    text,
    turnId: turn.turnId,
    createdAt: now,
    attempt: message.attempt,
    ...(model === null ? {} : { model }),
    ...(message.type === 'turn.failed'
      ? { reason: 'failed', error: message.error }
      : { reason: message.reason, details: { usage: message.usage, timing: message.timing, cached: message.cached, costUsd: message.cost_usd } }),
  }
  return withinBound({
    ...state,
    messages: mergeMessages(state.messages, [reply]),
    turns: state.turns.filter((other) => other !== turn),
    newestSeen: higher(state.newestSeen, message.message_id),
  })
}

export function findTurn(state: ConversationState, turnId: string): LiveTurn | undefined {
  return state.turns.find((turn) => turn.turnId === turnId)
}

function unstarted(turnId: string, userMessageId: number, replyMessageId: number): LiveTurn {
  return { turnId, userMessageId, replyMessageId, state: 'queued', attempt: 1, text: '', end: 0, model: null, position: null, etaMs: null }
}

/** Sets or adds a turn, unless its reply is there: then this is old news. */
function withTurn(state: ConversationState, turn: LiveTurn): ConversationState {
  const index = state.turns.findIndex(({ turnId }) => turnId === turn.turnId)
  if (index >= 0) return { ...state, turns: state.turns.with(index, turn).sort(inOrderOfRunning) }
  if (findMessage(state.messages, turn.replyMessageId) !== undefined) return state
  return { ...state, turns: [...state.turns, turn].sort(inOrderOfRunning) }
}

function inOrderOfRunning(a: LiveTurn, b: LiveTurn): number {
  return Number(a.state === 'waiting') - Number(b.state === 'waiting') || a.replyMessageId - b.replyMessageId
}

function withinBound(state: ConversationState): ConversationState {
  if (state.messages.length <= heldMessages) return state
  return { ...state, messages: state.messages.slice(-heldMessages), hasOlder: true }
}

/** Takes out of the outbox what has become a message. */
function withoutArrived(state: ConversationState): ConversationState {
  if (state.outbox.length === 0) return state
  const arrived = new Set(state.messages.map(({ clientMessageId }) => clientMessageId))
  const outbox = state.outbox.filter(({ clientMessageId }) => !arrived.has(clientMessageId))
  return outbox.length === state.outbox.length ? state : { ...state, outbox }
}

function higher(a: number | null, b: number): number {
  return a === null || b > a ? b : a
}
