import Type from 'typebox'
import type { Operation } from '../rest/operation.ts'
import { ModelName } from '../websocket/fields.ts'
import { modelExample, OpenAiModel } from './model-list.ts'

export const getOpenAiModel = {
  method: 'get',
  path: '/v1/models/{model}',
  permission: 'models:read',
  summary: 'One model',
  params: Type.Object({ model: ModelName }),
  example: { params: { model: modelExample.id } },
  responses: { 200: { description: 'The model', schema: OpenAiModel, example: modelExample } },
  errors: ['model_not_found', 'engine_unavailable'],
} as const satisfies Operation
