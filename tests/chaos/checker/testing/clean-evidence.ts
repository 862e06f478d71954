/** Evidence of a run in which all went well: one conversation on two devices, with a reconnect, a repeated key, a stop and a second reply to one message. */
import { expectedText, tagOf, tagText } from '../../../../load-tests/simulated-vllm/reply.ts'
import type { ServerMessage } from '../../../../protocol/websocket/messages.ts'
import { promptHashOf } from '../engine-rules.ts'
import type { EngineRequest, Evidence, Frame, Sent, StoredConversation, StoredMessage, StoredTurn, TextChange, Transcript } from '../evidence.ts'

export const conversationId = 1024
const createdAt = '2026-01-01T00:00:00.000Z'
const timing = { queue_ms: 1, ttft_ms: 2, total_ms: 3 }

interface Planned {
  readonly turnId: string
  readonly kind: Sent['kind']
  readonly question: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly parentId: number | null
  readonly tokens: number
  readonly reason: 'stop' | 'stopped'
  readonly at: number
}

const plan: readonly Planned[] = [
  { turnId: 'turn-1', kind: 'send', question: 'first [[tokens=12]]', userMessageId: 10, replyMessageId: 11, parentId: null, tokens: 12, reason: 'stop', at: 1_000 },
  { turnId: 'turn-2', kind: 'send', question: 'second [[tokens=20]] [[multibyte]]', userMessageId: 12, replyMessageId: 13, parentId: 11, tokens: 20, reason: 'stop', at: 2_000 },
  { turnId: 'turn-3', kind: 'regenerate', question: 'second [[tokens=20]] [[multibyte]]', userMessageId: 12, replyMessageId: 14, parentId: 11, tokens: 20, reason: 'stop', at: 3_000 },
  { turnId: 'turn-4', kind: 'send', question: 'third [[tokens=90]]', userMessageId: 15, replyMessageId: 16, parentId: 14, tokens: 30, reason: 'stopped', at: 4_000 },
]

/** Mutable all the way down, for tests to break it. */
export type Mutable<T> = T extends ReadonlyMap<unknown, unknown> ? T : T extends object ? { -readonly [Key in keyof T]: Mutable<T[Key]> } : T

export function cleanEvidence(): Mutable<Evidence> {
  const stored: StoredConversation = { conversationId, system: null, messages: storedMessages(), turns: plan.map(storedTurn) }
  const evidence: Evidence = {
    transcripts: [transcript('phone', false), transcript('laptop', true)],
    sent: plan.map(sentOf),
    stored: [stored],
    engine: engineRequests(stored),
    faults: [],
    systemPrompt: null,
    leftovers: { jobs: { standard: 0 }, subscriptions: 0, actors: 0 },
  }
  return structuredClone(evidence) as Mutable<Evidence>
}

const replyOf = ({ question, tokens }: Planned): string => expectedText(question, tokens)
const hasOwnMessage = ({ kind }: Planned): boolean => kind !== 'regenerate'

function storedMessages(): StoredMessage[] {
  return plan.flatMap((turn): StoredMessage[] => {
    const { turnId, question, userMessageId, replyMessageId, parentId, reason } = turn
    const reply: StoredMessage = { id: replyMessageId, parentId: userMessageId, role: 'assistant', content: replyOf(turn), turnId, clientMessageId: null, reason, attempt: 1, error: null }
    return hasOwnMessage(turn) ? [{ id: userMessageId, parentId, role: 'user', content: question, turnId, clientMessageId: turnId, reason: null, attempt: null, error: null }, reply] : [reply]
  })
}

function storedTurn({ turnId, userMessageId, replyMessageId, at }: Planned): StoredTurn {
  return { turnId, clientMessageId: turnId, userMessageId, replyMessageId, state: 'finished', attempt: 1, acceptedAt: at, endedAt: at + 900 }
}

function sentOf({ turnId, kind, question, userMessageId, replyMessageId, at }: Planned): Sent {
  const acceptance = { at: at + 5, turnId, messageId: userMessageId, replyMessageId, duplicate: false }
  return { clientMessageId: turnId, conversationId, device: 'phone', kind, text: question, params: {}, at, accepted: acceptance, refusals: [], repeats: turnId === 'turn-2' ? [{ ...acceptance, at: at + 20, duplicate: true }] : [] }
}

/** `reconnects`: in the middle of the second reply. */
function transcript(device: string, reconnects: boolean): Transcript {
  const changes: TextChange[] = []
  const frames: Frame[] = [opened(1, 0, [], [])]
  let link = 1
  for (const turn of plan) {
    const { turnId, userMessageId, replyMessageId, reason, at } = turn
    const push = (after: number, message: ServerMessage): void => void frames.push({ at: at + after, link, message })
    if (hasOwnMessage(turn)) push(5, { type: 'message.added', conversation_id: conversationId, message: wireMessage(turn) })
    push(10, { type: 'turn.queued', conversation_id: conversationId, turn_id: turnId, user_message_id: userMessageId, message_id: replyMessageId, position: 0, eta_ms: 0 })
    push(15, { type: 'turn.started', conversation_id: conversationId, turn_id: turnId, user_message_id: userMessageId, message_id: replyMessageId, attempt: 1, model: 'simulated' })
    const reply = replyOf(turn)
    const middle = reply.indexOf(' ', reply.length / 2)
    const show = (after: number, offset: number, end: number): void => {
      changes.push({ at: at + after, turnId, attempt: 1, from: offset, text: reply.slice(offset, end) })
      push(after, { type: 'turn.delta', turn_id: turnId, attempt: 1, offset, end, text: reply.slice(offset, end) })
    }
    show(100, 0, middle)
    if (reconnects && turnId === 'turn-2') {
      link += 1
      frames.push(opened(link, at + 200, plan.slice(0, 2).filter(hasOwnMessage), [{ turn, end: middle }]))
    }
    show(500, middle, reply.length)
    push(880, { type: 'turn.finished', turn_id: turnId, attempt: 1, message_id: replyMessageId, reason, end: reply.length, usage: null, timing, model: 'simulated', cached: false, cost_usd: null })
  }
  const messages = storedMessages().map(({ id, role, parentId, content, turnId, reason, attempt }) => ({ id, role, parentId, text: content, turnId, ...(reason === null ? {} : { reason }), ...(attempt === null ? {} : { attempt }) }))
  return { device, conversationId, changes, frames, final: { messages, unfinished: [] }, faults: [] }
}

function opened(link: number, at: number, turns: readonly Planned[], running: readonly { readonly turn: Planned; readonly end: number }[]): Frame {
  return {
    at,
    link,
    message: {
      type: 'conversation.opened',
      conversation_id: conversationId,
      title: null,
      messages: turns.map(wireMessage),
      active_leaf: null,
      has_more: false,
      reset: false,
      turns: running.map(({ turn, end }) => ({ turn_id: turn.turnId, user_message_id: turn.userMessageId, message_id: turn.replyMessageId, attempt: 1, offset: end, end, text: '', state: 'running' as const })),
    },
  }
}

function wireMessage({ turnId, question, userMessageId, parentId }: Planned) {
  return { message_id: userMessageId, role: 'user' as const, content: question, parent_id: parentId, turn_id: turnId, client_message_id: turnId, created_at: createdAt }
}

/** The second reply broke once, and was gone on with. */
function engineRequests(stored: StoredConversation): EngineRequest[] {
  return plan.flatMap((turn) => {
    const { turnId, question, userMessageId, tokens, reason, at } = turn
    const message = stored.messages.find(({ id }) => id === userMessageId) as StoredMessage
    const request: EngineRequest = {
      id: turnId,
      path: '/v1/chat/completions',
      stream: true,
      startedAt: at + 20,
      endedAt: at + 800,
      tag: tagText(tagOf(question)),
      promptHash: promptHashOf(stored, message, null),
      promptTokens: 30,
      resumedAt: 0,
      resumedIntact: true,
      maxTokens: 1024,
      tokensSent: tokens,
      state: reason === 'stop' ? 'stop' : 'aborted',
      overlapping: 0,
      faults: [],
    }
    return turnId === 'turn-2' ? [{ ...request, endedAt: at + 300, state: 'fault', tokensSent: 5 }, { ...request, startedAt: at + 310, resumedAt: 5, path: '/v1/completions' }] : [request]
  })
}
