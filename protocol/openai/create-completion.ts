import Type from 'typebox'
import { ActingFor } from '../rest/headers.ts'
import type { Operation } from '../rest/operation.ts'
import { Completion } from './completion.ts'
import { CompletionRequest } from './completion-request.ts'
import { completionExample, completionStreamExample } from './examples.ts'
import { callHeaders } from './parameters.ts'

export const createCompletion = {
  method: 'post',
  path: '/v1/completions',
  permission: 'turns:write',
  summary: 'What goes on from a text',
  description: 'Streamed as chats are. Nothing is kept, and it is stopped as soon as its client goes away.',
  headers: Type.Object({ ...ActingFor, ...callHeaders }),
  body: CompletionRequest,
  example: { body: { model: 'default', prompt: 'Once upon a time', max_tokens: 50 } },
  responses: {
    200: { description: 'What goes on', schema: Completion, headers: { 'X-Correlation-Id': 'The turn' }, example: completionExample, eventStream: completionStreamExample },
  },
  errors: ['model_not_found', 'text_too_long', 'text_not_well_formed', 'idempotency_conflict', 'overloaded', 'context_too_long', 'engine_unavailable', 'engine_rejected', 'reply_restarted', 'deadline_exceeded', 'turn_not_found', 'moved'],
} as const satisfies Operation
