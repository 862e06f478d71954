/** Of one call, for the documentation. */
import type { ChatCompletion } from './chat-completion.ts'
import type { Completion } from './completion.ts'

const turnId = '01938a5e-7c00-7a3b-9f2e-1d5c8b4a6e70'
const head = { created: 1764072000, model: 'smollm2-135m-instruct', system_fingerprint: null }
const usage = { prompt_tokens: 37, completion_tokens: 6, total_tokens: 43 }

export const chatExample: ChatCompletion = {
  id: `chatcmpl-${turnId}`,
  ...head,
  object: 'chat.completion',
  choices: [{ index: 0, message: { role: 'assistant', content: 'Relativity refers to…', refusal: null }, logprobs: null, finish_reason: 'stop' }],
  usage,
}

export const completionExample: Completion = {
  id: `cmpl-${turnId}`,
  object: 'text_completion',
  ...head,
  choices: [{ index: 0, text: ' there was a princess.', logprobs: null, finish_reason: 'stop' }],
  usage,
}
