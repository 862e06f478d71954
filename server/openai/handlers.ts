/** What carries out the operations for OpenAI's clients. */
import type { openAiOperations } from '../../protocol/openai/operations.ts'
import { json } from '../http/answer.ts'
import type { Handlers } from '../http/operation-group.ts'
import type { ModelDirectory } from '../models/model-directory.ts'
import { findModel, modelList } from './models.ts'

export interface OpenAiContext {
  readonly models: ModelDirectory
}

export function openAiHandlers({ models }: OpenAiContext): Handlers<typeof openAiOperations> {
  return {
    listOpenAiModels: async () => json(200, modelList(await models.models())),
    getOpenAiModel: async ({ params }) => json(200, findModel(await models.models(), params.model)),
  }
}
