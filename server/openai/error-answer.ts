import type { ChatError } from '../../protocol/errors.ts'
import { openAiError } from '../../protocol/openai/errors.ts'
import { json, retryAfter, type Headers, type HttpAnswer } from '../http/answer.ts'

/** `X-Should-Retry` is what OpenAI's clients go by; without it they would repeat every 409. */
export function openAiErrorAnswer(error: ChatError, headers: Headers = {}): HttpAnswer {
  const { status, retryable } = error.definition
  const waits: Headers = error.retryAfterMs === undefined ? {} : { 'Retry-After-Ms': String(Math.ceil(error.retryAfterMs)) }
  return json(status, openAiError(error), { 'X-Should-Retry': String(retryable), ...retryAfter(error), ...waits, ...headers })
}
