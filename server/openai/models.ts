/** Models by the names that OpenAI's clients give. */
import { ChatError } from '../../protocol/errors.ts'
import type { ServedModel } from '../../protocol/bus/models.ts'
import type { OpenAiModel, OpenAiModelList } from '../../protocol/openai/model-list.ts'

/** Whatever a turn gets that names no model. */
const defaultAlias = 'default'

export function modelList(models: readonly ServedModel[]): OpenAiModelList {
  return { object: 'list', data: models.map(modelOf) }
}

/** Throws ChatError `model_not_found`. */
export function findModel(models: readonly ServedModel[], name: string): OpenAiModel {
  const model = models.find(({ id }) => id === name) ?? (name === defaultAlias ? models[0] : undefined)
  if (model === undefined) throw notFound(name)
  return modelOf(model)
}

function notFound(name: string): ChatError {
  return new ChatError('model_not_found', `The model \`${name}\` does not exist.`)
}

function modelOf({ id, max_tokens }: ServedModel): OpenAiModel {
  return { id, object: 'model', created: 0, owned_by: 'chatterbot', max_model_len: max_tokens }
}
