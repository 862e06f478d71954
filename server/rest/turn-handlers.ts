/** `GET /stream/{correlation_id}`, `GET /turns/{correlation_id}` and `DELETE /turns/{correlation_id}`. */
import { parseEventId, type streamReply } from '../../protocol/rest/stream-reply.ts'
import type { getTurn, stopTurn } from '../../protocol/rest/turns.ts'
import type { TurnStatus } from '../../actors/conversation-service.ts'
import { actingUser } from '../auth/authorization.ts'
import { json } from '../http/answer.ts'
import type { Handlers } from '../http/operation-group.ts'
import type { ChatContext } from './chat-handlers.ts'
import { replyStream } from './reply-stream.ts'
import { turnAddresses } from './turn-addresses.ts'
import { wholeSeconds } from './whole-seconds.ts'

export function turnHandlers({ service, streamTickets, load, keepAliveMs }: ChatContext): Handlers<{ streamReply: typeof streamReply; getTurn: typeof getTurn; stopTurn: typeof stopTurn }> {
  return {
    streamReply: async ({ params, headers, identity }) => {
      const turn = await service.turn(actingUser(identity, headers['x-user-id']), params.correlation_id)
      const position = parseEventId(headers['last-event-id'] ?? '1:0')
      if (position === null) return { status: 204, headers: { 'Cache-Control': 'no-store' }, body: null }
      return replyStream({ service, turn, known: turn.reply, position, keepAliveMs, resumes: true })
    },
    getTurn: async ({ params, headers, identity }) => {
      const turn = await service.turn(actingUser(identity, headers['x-user-id']), params.correlation_id)
      const { streamEndpoint } = await turnAddresses(streamTickets, turn)
      return json(200, turnBody(turn, streamEndpoint), turn.reply === null ? { 'Retry-After': String(Math.max(1, Math.ceil(load().eta_ms / 1_000))) } : {})
    },
    stopTurn: async ({ params, headers, identity }) => {
      const turnId = params.correlation_id
      const userId = actingUser(identity, headers['x-user-id']) ?? (await service.turn(null, turnId)).userId
      await service.stop(userId, { type: 'turn.stop', turn_id: turnId })
      return { status: 204, headers: {}, body: null }
    },
  }
}

function turnBody(turn: TurnStatus, streamEndpoint: string): unknown {
  const { reply } = turn
  const { reason, error, content = null } = reply?.message ?? {}
  return {
    correlation_id: turn.turnId,
    conversation_id: turn.conversationId,
    // That its owner is new and must ask for the text is nobody's business.
    status: turn.state === 'resuming' ? 'running' : turn.state,
    message_id: turn.userMessageId,
    reply_message_id: turn.replyMessageId,
    attempt: turn.attempt,
    model: turn.model,
    accepted_at: wholeSeconds(turn.acceptedAt),
    stream_endpoint: streamEndpoint,
    response: content,
    ...(reply === null || reason === undefined || reason === 'failed' ? {} : { reason, usage: reply.usage }),
    ...(error === undefined ? {} : { error }),
  }
}
