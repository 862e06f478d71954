/** Every operation of the API for OpenAI's clients, by its id in the OpenAPI document. Errors have OpenAI's form. */
import { getOpenAiModel } from './get-model.ts'
import { listOpenAiModels } from './list-models.ts'

export const openAiOperations = { listOpenAiModels, getOpenAiModel }
