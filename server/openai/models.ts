/** Models by the names that OpenAI's clients give. */
import { ChatError } from '../../protocol/errors.ts'
import type { ServedModel } from '../../protocol/bus/models.ts'
import type { OpenAiModel, OpenAiModelList } from '../../protocol/openai/model-list.ts'
import type { ModelDirectory } from '../models/model-directory.ts'

/** Whatever a turn gets that names no model. */
export const defaultAlias = 'default'

export function modelList(models: readonly ServedModel[]): OpenAiModelList {
  return { object: 'list', data: models.map(modelOf) }
}

/** Throws ChatError `model_not_found`. */
export function findModel(models: readonly ServedModel[], name: string): OpenAiModel {
  const model = models.find(({ id }) => id === name) ?? (name === defaultAlias ? models[0] : undefined)
  if (model === undefined) throw notFound(name)
  return modelOf(model)
}

/**
 * What a turn is to ask for: undefined for the default. Rejects with ChatError `model_not_found`. Where nobody can tell
 * which models there are, the turn is to find out.
 */
export async function resolveModel(directory: ModelDirectory, name: string): Promise<string | undefined> {
  let models: readonly ServedModel[]
  try {
    models = await directory.models()
  } catch (error) {
    if (!(error instanceof ChatError)) throw error
    return name === defaultAlias ? undefined : name
  }
  if (models.some(({ id }) => id === name)) return name
  if (name === defaultAlias) return undefined
  throw notFound(name)
}

function notFound(name: string): ChatError {
  return new ChatError('model_not_found', `The model \`${name}\` does not exist.`)
}

function modelOf({ id, max_tokens }: ServedModel): OpenAiModel {
  return { id, object: 'model', created: 0, owned_by: 'chatterbot', max_model_len: max_tokens }
}
