import { modelExample, OpenAiModelList } from './model-list.ts'
import type { Operation } from '../rest/operation.ts'

export const listOpenAiModels = {
  method: 'get',
  path: '/v1/models',
  permission: 'models:read',
  summary: 'The models that there are; `default` stands for the first',
  responses: { 200: { description: 'The models', schema: OpenAiModelList, example: { object: 'list', data: [modelExample] } } },
  errors: ['engine_unavailable'],
} as const satisfies Operation
