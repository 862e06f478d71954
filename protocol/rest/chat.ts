/** The endpoints that begin a turn. */
import Type from 'typebox'
import { ConversationId, TurnId } from '../websocket/fields.ts'
import { chatBodyBytes, ChatRequest, Deferred, examples } from './fields.ts'
import { BeginsTurn, turnHeaders } from './headers.ts'
import type { Operation } from './operation.ts'

const beginErrors = [
  'text_empty', 'text_too_long', 'text_not_well_formed', 'history_too_long', 'conversation_not_found', 'model_not_found', 'idempotency_conflict', 'busy', 'rate_limited', 'unavailable', 'moved',
] as const

export const ChatResponse = Type.Object({
  response: Type.String({ description: 'The reply' }),
  conversation_id: ConversationId,
  processing_time: Type.Number({ minimum: 0, description: 'Seconds' }),
})

export const chat = {
  method: 'post',
  path: '/chat',
  permission: 'turns:write',
  summary: 'Say something, and get the reply',
  description:
    'With `stream: true` the reply comes as server-sent events, as from `GET /stream/{correlation_id}`. With `Prefer: respond-async`, or `Prefer: wait=SECONDS` where the reply takes longer (or, while the server is overloaded, would), the answer is 202, and the reply is read later. A client that leaves has 60 seconds to come back, by the same idempotency key or by `GET /stream/{correlation_id}`, before the reply is stopped.',
  headers: Type.Object(BeginsTurn),
  body: ChatRequest,
  texts: ['message'],
  bodyBytes: chatBodyBytes,
  example: { body: { message: 'Explain relativity', user_id: 'user123', context: [], stream: false } },
  responses: {
    200: {
      description: 'The reply; with `stream: true`, as server-sent events',
      schema: ChatResponse,
      example: { response: 'Relativity refers to...', conversation_id: examples.conversationId, processing_time: 1.234 },
      eventStream: examples.events,
      headers: { ...turnHeaders, 'X-Finish-Reason': 'Of a whole reply: why it ended, `stop`, `length`, `stopped` or `filtered`. Of any but `stop` there may be more to say', 'Preference-Applied': 'What was done of `Prefer`' },
    },
    202: {
      description: 'The reply is being written',
      schema: Deferred,
      example: { status: 'accepted', correlation_id: examples.turnId, conversation_id: examples.conversationId, status_url: `/turns/${examples.turnId}`, stream_endpoint: `/stream/${examples.turnId}` },
      headers: { ...turnHeaders, Location: 'Where the reply is read', 'Preference-Applied': 'What was done of `Prefer`', 'Retry-After': 'Seconds' },
    },
  },
  errors: [...beginErrors, 'engine_unavailable', 'engine_rejected', 'context_too_long', 'deadline_exceeded'],
} as const satisfies Operation

export const streamChat = {
  method: 'post',
  path: '/stream-chat',
  permission: 'turns:write',
  summary: 'Say something, and read the reply as a stream',
  description: 'The reply is written whether it is read or not.',
  headers: Type.Object(BeginsTurn),
  body: ChatRequest,
  texts: ['message'],
  bodyBytes: chatBodyBytes,
  example: { body: { message: 'Tell me about quantum physics', user_id: 'user123', context: [], stream: true } },
  responses: {
    200: {
      description: 'The reply is being written',
      example: { status: 'streaming', correlation_id: examples.turnId, stream_endpoint: `/stream/${examples.turnId}` },
      schema: Type.Object({ status: Type.Literal('streaming'), correlation_id: TurnId, stream_endpoint: Type.String({ description: 'GET it for the reply as server-sent events' }) }),
      headers: turnHeaders,
    },
  },
  errors: beginErrors,
} as const satisfies Operation
