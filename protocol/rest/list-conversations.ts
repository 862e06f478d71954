import Type from 'typebox'
import { ConversationSummary } from '../websocket/commands/conversation-list.ts'
import { ConversationId } from '../websocket/fields.ts'
import { ActingFor } from './headers.ts'
import type { Operation } from './operation.ts'

export const listConversations = {
  method: 'get',
  path: '/conversations',
  permission: 'conversations:read',
  summary: 'The conversations of a user, the most recently used first',
  query: Type.Object({
    before: Type.Optional(ConversationId),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '50 where absent' })),
  }),
  headers: Type.Object(ActingFor),
  example: { query: { limit: 2 } },
  responses: {
    200: {
      description: 'A page; `before` with the last one\'s id brings the next',
      schema: Type.Object({ conversations: Type.Array(ConversationSummary), has_more: Type.Boolean() }),
      example: {
        conversations: [{ conversation_id: 4318208, title: 'Physics Discussion', created_at: '2026-11-24T12:00:00.000Z', updated_at: '2026-11-24T12:01:05.000Z' }],
        has_more: false,
      },
    },
  },
  errors: ['unavailable'],
} as const satisfies Operation
