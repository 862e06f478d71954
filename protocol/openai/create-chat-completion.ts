import Type from 'typebox'
import { ActingFor } from '../rest/headers.ts'
import type { Operation } from '../rest/operation.ts'
import { ChatCompletion } from './chat-completion.ts'
import { ChatCompletionRequest } from './chat-completion-request.ts'
import { chatExample, chatStreamExample } from './examples.ts'
import { callHeaders } from './parameters.ts'

export const createChatCompletion = {
  method: 'post',
  path: '/v1/chat/completions',
  permission: 'turns:write',
  summary: 'The reply to a list of messages',
  description: 'With `stream`, chunks as server-sent events, and `data: [DONE]` at their end; an error after the first byte is an event `{"error": …}`. Without `store` nothing is kept, and the reply is stopped as soon as its client goes away.',
  headers: Type.Object({ ...ActingFor, ...callHeaders }),
  body: ChatCompletionRequest,
  bodyBytes: 2 * 1024 * 1024,
  bodyDepth: 64,
  example: { body: { model: 'default', messages: [{ role: 'user', content: 'Explain relativity' }], max_tokens: 200 } },
  responses: {
    200: {
      description: 'The reply',
      schema: ChatCompletion,
      headers: { 'X-Conversation-Id': 'With `store`: where the call is kept', 'X-Correlation-Id': 'The turn' },
      example: chatExample,
      eventStream: chatStreamExample,
    },
  },
  errors: ['model_not_found', 'conversation_not_found', 'text_empty', 'text_too_long', 'text_not_well_formed', 'history_too_long', 'idempotency_conflict', 'busy', 'overloaded', 'context_too_long', 'engine_unavailable', 'engine_rejected', 'reply_restarted', 'deadline_exceeded', 'turn_not_found', 'moved'],
} as const satisfies Operation
