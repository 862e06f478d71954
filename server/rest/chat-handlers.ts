/** `POST /chat` and `POST /stream-chat`. */
import type { chat, streamChat } from '../../protocol/rest/chat.ts'
import type { Deferred } from '../../protocol/rest/fields.ts'
import { parsePrefer, type Preferences } from '../../protocol/rest/prefer.ts'
import type { Load } from '../../protocol/websocket/fields.ts'
import type { ConversationService, TurnStatus } from '../../actors/conversation-service.ts'
import type { StreamTickets } from '../auth/stream-tickets.ts'
import { json, mergeHeaders, problemOf, type Answer, type Headers, type HttpAnswer } from '../http/answer.ts'
import type { Handlers, RequestContext } from '../http/operation-group.ts'
import type { AbandonedTurns } from '../turns/abandoned-turns.ts'
import { beginTurn, type BegunTurn } from '../turns/begin-turn.ts'
import { errorOf } from '../turns/reply-error.ts'
import { wholeReply, type WholeReply } from '../turns/whole-reply.ts'
import { replyStream } from './reply-stream.ts'
import { turnAddresses } from './turn-addresses.ts'
import { readTurnRequest } from './turn-request.ts'

export interface ChatContext {
  readonly service: ConversationService
  readonly abandoned: AbandonedTurns
  /** Null where streams need no credentials. */
  readonly streamTickets: StreamTickets | null
  readonly load: () => Load
  readonly monotonic: () => number
  /** Milliseconds between the comments of a stream that has nothing else to say. */
  readonly keepAliveMs: number
}

export function chatHandlers(context: ChatContext): Handlers<{ chat: typeof chat; streamChat: typeof streamChat }> {
  const { service, abandoned } = context
  return {
    chat: async (call) => {
      const beganAt = context.monotonic()
      const preferences = parsePrefer(call.headers.prefer)
      const isDeferred = preferences.respondAsync || waitsInVain(preferences, context.load())
      const turn = await beginTurn(service, readTurnRequest(call, isDeferred))
      if (isDeferred) {
        abandoned.keep(turn.turnId)
        return deferred(context, turn, preferences)
      }
      const known = await endedBefore(service, turn)
      if (call.body.stream !== true) return waitForReply(context, turn, known, call.request, preferences, beganAt)
      const left = (): void => clientLeft(abandoned, turn)
      return replyStream({ service, turn, known, keepAliveMs: context.keepAliveMs, resumes: false, onLeft: left }, headersOf(turn))
    },
    streamChat: async (call) => {
      const turn = await beginTurn(service, readTurnRequest(call, true))
      abandoned.keep(turn.turnId)
      const { streamEndpoint } = await turnAddresses(context.streamTickets, turn)
      return json(200, { status: 'streaming', correlation_id: turn.turnId, stream_endpoint: streamEndpoint }, headersOf(turn))
    },
  }
}

async function waitForReply(context: ChatContext, turn: BegunTurn, known: TurnStatus['reply'], request: RequestContext, preferences: Preferences, beganAt: number): Promise<Answer> {
  const { service, abandoned, monotonic } = context
  const stopping = new AbortController()
  let timer: NodeJS.Timeout | undefined
  request.onGone(() => stopping.abort())
  if (preferences.wait !== null) timer = setTimeout(() => stopping.abort(), Math.max(0, preferences.wait * 1_000 - (monotonic() - beganAt)))
  const reply = await wholeReply({ service, turn, known }, stopping.signal)
  clearTimeout(timer)
  if (reply !== null) return answerOf(turn, reply, (monotonic() - beganAt) / 1_000, preferences)
  // Nobody sees what is answered to a client that went away.
  if (request.isGone) clientLeft(abandoned, turn)
  return deferred(context, turn, preferences)
}

function answerOf(turn: BegunTurn, { text, end }: WholeReply, seconds: number, preferences: Preferences): HttpAnswer {
  const headers = mergeHeaders(headersOf(turn), applied(preferences))
  switch (end.type) {
    case 'finished':
      return json(200, { response: text, conversation_id: turn.conversationId, processing_time: Math.round(seconds * 1_000) / 1_000 }, mergeHeaders(headers, { 'X-Finish-Reason': end.reason }))
    case 'failed':
    case 'broken':
      return problemOf(errorOf(end), headers)
  }
}

/** Only the request that began the turn says what becomes of it: a repetition of one that wanted it written anyway does not. */
function clientLeft(abandoned: AbandonedTurns, { userId, turnId, accepted }: BegunTurn): void {
  if (!accepted.duplicate) abandoned.left(userId, turnId)
}

/** The client has said how long it waits, and the server is so busy that the reply would not be there by then. */
function waitsInVain({ wait }: Preferences, load: Load): boolean {
  return wait !== null && load.advice === 'async' && load.eta_ms > wait * 1_000
}

async function deferred({ streamTickets, load }: ChatContext, turn: BegunTurn, preferences: Preferences): Promise<HttpAnswer> {
  const { statusUrl, streamEndpoint } = await turnAddresses(streamTickets, turn)
  const body: Deferred = { status: 'accepted', correlation_id: turn.turnId, conversation_id: turn.conversationId, status_url: statusUrl, stream_endpoint: streamEndpoint }
  return json(202, body, { ...headersOf(turn), ...applied(preferences), Location: statusUrl, 'Retry-After': String(Math.max(1, Math.ceil(load().eta_ms / 1_000))) })
}

function applied({ respondAsync, wait }: Preferences): Headers {
  const names = [...(respondAsync ? ['respond-async'] : []), ...(wait === null ? [] : [`wait=${wait}`])]
  return names.length === 0 ? {} : { 'Preference-Applied': names.join(', ') }
}

function headersOf({ conversationId, turnId }: BegunTurn): Headers {
  return { 'X-Conversation-Id': String(conversationId), 'X-Correlation-Id': turnId }
}

/** Of a repetition: the stored reply, where there is one already. */
async function endedBefore(service: Pick<ConversationService, 'turn'>, { userId, turnId, accepted }: BegunTurn): Promise<TurnStatus['reply']> {
  return accepted.state === 'finished' || accepted.state === 'failed' ? (await service.turn(userId, turnId)).reply : null
}
