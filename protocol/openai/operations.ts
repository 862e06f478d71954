/** Every operation of the API for OpenAI's clients, by its id in the OpenAPI document. Errors have OpenAI's form. */
import { createChatCompletion } from './create-chat-completion.ts'
import { createCompletion } from './create-completion.ts'
import { getOpenAiModel } from './get-model.ts'
import { listOpenAiModels } from './list-models.ts'

export const openAiOperations = { createChatCompletion, createCompletion, listOpenAiModels, getOpenAiModel }
