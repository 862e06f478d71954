/** Conversations, and what was said in them. */
import Type from 'typebox'
import { ConversationSummary } from '../websocket/commands/conversation-list.ts'
import { ConversationId, MessageId, ModelName, Role, Text, Title } from '../websocket/fields.ts'
import { limits } from '../websocket/limits.ts'
import { ConversationParams, examples, NullableTitle, UserId, WholeSeconds } from './fields.ts'
import { ActingFor } from './headers.ts'
import type { Operation } from './operation.ts'

const summaryExample = { conversation_id: examples.conversationId, title: 'Physics Discussion', created_at: '2026-11-24T12:00:00.000Z', updated_at: '2026-11-24T12:01:05.000Z' }

export const createConversation = {
  method: 'post',
  path: '/conversations',
  permission: 'conversations:write',
  summary: 'Begin a conversation',
  headers: Type.Object({ ...ActingFor, 'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 255 })) }),
  body: Type.Object({ user_id: Type.Optional(UserId), title: Type.Optional(NullableTitle), model: Type.Optional(ModelName), system: Type.Optional(Text) }),
  texts: ['system'],
  example: { body: { user_id: 'user123', title: 'Physics Discussion' } },
  responses: {
    200: {
      description: 'It is there',
      schema: Type.Object({ conversation_id: ConversationId, title: NullableTitle, created_at: WholeSeconds }),
      example: { conversation_id: examples.conversationId, title: 'Physics Discussion', created_at: '2025-03-11T12:00:00Z' },
      headers: { Location: 'The conversation' },
    },
  },
  errors: ['text_empty', 'text_too_long', 'text_not_well_formed', 'idempotency_conflict', 'unavailable'],
} as const satisfies Operation

export const listConversations = {
  method: 'get',
  path: '/conversations',
  permission: 'conversations:read',
  summary: 'The conversations of a user, the most recently used first',
  query: Type.Object({
    user_id: Type.Optional(UserId),
    before: Type.Optional(ConversationId),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: '50 where absent' })),
  }),
  headers: Type.Object(ActingFor),
  example: { query: { user_id: 'user123', limit: 2 } },
  responses: {
    200: {
      description: 'A page; `Link` names the next one',
      example: { conversations: [summaryExample], has_more: false },
      schema: Type.Object({ conversations: Type.Array(ConversationSummary), has_more: Type.Boolean() }),
      headers: { Link: 'RFC 8288, `rel="next"`' },
    },
  },
  errors: ['unavailable'],
} as const satisfies Operation

export const getConversation = {
  method: 'get',
  path: '/conversations/{conversation_id}',
  permission: 'conversations:read',
  summary: 'One conversation',
  params: ConversationParams,
  headers: Type.Object(ActingFor),
  example: { params: { conversation_id: examples.conversationId } },
  responses: { 200: { description: 'The conversation', schema: ConversationSummary, example: summaryExample } },
  errors: ['conversation_not_found', 'unavailable'],
} as const satisfies Operation

export const listMessages = {
  method: 'get',
  path: '/conversations/{conversation_id}/messages',
  permission: 'conversations:read',
  summary: 'What was said in a conversation',
  description: 'The newest page, oldest first; `Link` names the page before it. Replies are there once they have ended. A conversation in which messages were edited or answered again has all versions.',
  params: ConversationParams,
  query: Type.Object({
    before: Type.Optional(MessageId),
    limit: Type.Optional(Type.Integer({ minimum: 1, maximum: limits.pageMessages, description: `${limits.pageMessages} where absent` })),
  }),
  headers: Type.Object({ ...ActingFor, 'if-none-match': Type.Optional(Type.String({ maxLength: 1024 })) }),
  example: { params: { conversation_id: examples.conversationId }, query: { limit: 50 } },
  responses: {
    200: {
      description: 'A page',
      example: {
        conversation_id: examples.conversationId,
        messages: [
          { id: 5242880, role: 'user', content: 'Explain relativity', timestamp: '2025-03-11T12:01:00Z' },
          { id: 5243904, role: 'assistant', content: 'Relativity refers to...', timestamp: '2025-03-11T12:01:05Z' },
        ],
      },
      schema: Type.Object({
        conversation_id: ConversationId,
        messages: Type.Array(Type.Object({ id: MessageId, role: Role, content: Type.String(), timestamp: WholeSeconds })),
      }),
      headers: { Link: 'RFC 8288, `rel="next"`: older messages', ETag: 'Of the page' },
    },
    304: { description: 'The page is the one that `If-None-Match` names' },
  },
  errors: ['conversation_not_found', 'unavailable'],
} as const satisfies Operation

export const renameConversation = {
  method: 'patch',
  path: '/conversations/{conversation_id}',
  permission: 'conversations:write',
  summary: 'Give a conversation another title',
  params: ConversationParams,
  headers: Type.Object(ActingFor),
  body: Type.Object({ title: Title }),
  example: { params: { conversation_id: examples.conversationId }, body: { title: 'Relativity' } },
  responses: {
    200: {
      description: 'It has that title',
      schema: Type.Object({ conversation_id: ConversationId, title: Title, updated_at: WholeSeconds }),
      example: { conversation_id: examples.conversationId, title: 'Relativity', updated_at: '2026-11-24T12:02:00Z' },
    },
  },
  errors: ['conversation_not_found', 'moved', 'unavailable'],
} as const satisfies Operation

export const deleteConversation = {
  method: 'delete',
  path: '/conversations/{conversation_id}',
  permission: 'conversations:write',
  summary: 'Delete a conversation and all that was said in it',
  description: 'A reply that is being written is stopped. Nobody sees anything of it from now on.',
  params: ConversationParams,
  headers: Type.Object(ActingFor),
  example: { params: { conversation_id: examples.conversationId } },
  responses: { 204: { description: 'It is gone' } },
  errors: ['conversation_not_found', 'moved', 'unavailable'],
} as const satisfies Operation

const exportedExample = [
  { message_id: 5242880, role: 'user', content: 'Explain relativity', parent_id: null, turn_id: examples.turnId, created_at: '2026-11-24T12:01:00.000Z' },
  { message_id: 5243904, role: 'assistant', content: 'Relativity refers to...', parent_id: 5242880, turn_id: examples.turnId, created_at: '2026-11-24T12:01:05.000Z', reason: 'stop', model: 'llama-2-7b-chat', attempt: 1 },
]

export const exportConversation = {
  method: 'get',
  path: '/conversations/{conversation_id}/export',
  permission: 'conversations:read',
  summary: 'All that was said in a conversation, as lines of JSON',
  description: 'A message a line, oldest first, all versions of it, however many there are. An export that cannot be completed breaks off, so that its connection ends as an error.',
  params: ConversationParams,
  headers: Type.Object(ActingFor),
  example: { params: { conversation_id: examples.conversationId } },
  responses: {
    200: {
      description: 'The messages',
      contentType: 'application/x-ndjson',
      schema: Type.String(),
      example: exportedExample.map((message) => `${JSON.stringify(message)}\n`).join(''),
      headers: { 'Content-Disposition': 'A name for the file' },
    },
  },
  errors: ['conversation_not_found', 'overloaded', 'unavailable'],
} as const satisfies Operation
