/** A turn by its id: how it stands, and its reply once it has ended. */
import Type from 'typebox'
import { Attempt, ConversationId, FinishReason, MessageId, ModelName, TurnError, TurnId, Usage } from '../websocket/fields.ts'
import { CorrelationParams, examples, WholeSeconds } from './fields.ts'
import { ActingFor } from './headers.ts'
import type { Operation } from './operation.ts'

export const Turn = Type.Object({
  correlation_id: TurnId,
  conversation_id: ConversationId,
  status: Type.Union([Type.Literal('waiting'), Type.Literal('queued'), Type.Literal('running'), Type.Literal('finished'), Type.Literal('failed')], {
    description: 'waiting: behind the reply before it; queued: for a model; running: it is being written',
  }),
  message_id: MessageId,
  reply_message_id: MessageId,
  attempt: Attempt,
  model: Type.Union([ModelName, Type.Null()]),
  accepted_at: WholeSeconds,
  stream_endpoint: Type.String(),
  response: Type.Union([Type.String(), Type.Null()], { description: 'The reply, once it has ended; of one that failed, as far as it came' }),
  reason: Type.Optional(FinishReason),
  usage: Type.Optional(Type.Union([Usage, Type.Null()])),
  error: Type.Optional(TurnError),
})

export const getTurn = {
  method: 'get',
  path: '/turns/{correlation_id}',
  permission: 'conversations:read',
  summary: 'How a turn stands, and its reply',
  params: CorrelationParams,
  headers: Type.Object(ActingFor),
  example: { params: { correlation_id: examples.turnId } },
  responses: {
    200: {
      description: 'While it has not ended, `Retry-After` says when to ask again',
      schema: Turn,
      headers: { 'Retry-After': 'Seconds' },
      example: {
        correlation_id: examples.turnId,
        conversation_id: examples.conversationId,
        status: 'finished',
        message_id: 5242880,
        reply_message_id: 5243904,
        attempt: 1,
        model: 'llama-2-7b-chat',
        accepted_at: '2026-11-24T12:01:00Z',
        stream_endpoint: `/stream/${examples.turnId}`,
        response: 'Relativity refers to...',
        reason: 'stop',
        usage: { prompt_tokens: 21, completion_tokens: 143 },
      },
    },
  },
  errors: ['turn_not_found', 'unavailable'],
} as const satisfies Operation

export const stopTurn = {
  method: 'delete',
  path: '/turns/{correlation_id}',
  permission: 'turns:write',
  summary: 'Stop a reply',
  description: 'What was written of it stays. One that has ended already stays as it is.',
  params: CorrelationParams,
  headers: Type.Object(ActingFor),
  example: { params: { correlation_id: examples.turnId } },
  responses: { 204: { description: 'It has ended' } },
  errors: ['turn_not_found', 'unavailable', 'moved'],
} as const satisfies Operation
