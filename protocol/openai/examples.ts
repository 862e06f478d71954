/** Of one call, for the documentation. */
import type { ChatCompletion, ChatCompletionChunk } from './chat-completion.ts'
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

const chunk = (delta: ChatCompletionChunk['choices'][0]['delta'], finish_reason: 'stop' | null): ChatCompletionChunk => ({
  id: `chatcmpl-${turnId}`,
  ...head,
  object: 'chat.completion.chunk',
  choices: [{ index: 0, delta, logprobs: null, finish_reason }],
})

const piece = (text: string, finish_reason: 'stop' | null): Completion => ({
  id: `cmpl-${turnId}`,
  object: 'text_completion',
  ...head,
  choices: [{ index: 0, text, logprobs: null, finish_reason }],
})

export const chatStreamExample = events([chunk({ role: 'assistant', content: 'Relativity' }, null), chunk({ content: ' refers to…' }, null), chunk({}, 'stop')])

export const completionStreamExample = events([piece(' there was a princess.', null), piece('', 'stop')])

function events(values: readonly object[]): string {
  return [...values.map((value) => JSON.stringify(value)), '[DONE]'].map((data) => `data: ${data}\n\n`).join('')
}
