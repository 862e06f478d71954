/** A reply in the form of completions, chunk by chunk, or whole. Pure. */
import type { Completion, CompletionFinishReason } from '../../protocol/openai/completion.ts'
import type { FinishReason } from '../../protocol/websocket/fields.ts'
import { openAiUsage, type EndedReply, type ReplyForm, type ReplyHead } from './reply-form.ts'

export class CompletionForm implements ReplyForm {
  readonly idPrefix = 'cmpl'
  readonly #includeUsage: boolean

  constructor({ includeUsage }: { readonly includeUsage: boolean }) {
    this.#includeUsage = includeUsage
  }

  whole(head: ReplyHead, text: string, end: EndedReply): Completion {
    const usage = openAiUsage(end.usage)
    return { ...part(head, text, finishReason(end.reason)), ...(usage === null ? {} : { usage }) }
  }

  chunks(head: ReplyHead) {
    const usage = this.#includeUsage ? { usage: null } : {}
    return {
      begin: (): Completion[] => [],
      text: (text: string): Completion[] => [{ ...part(head, text, null), ...usage }],
      end: (end: EndedReply): Completion[] => [
        { ...part(head, '', finishReason(end.reason)), ...usage },
        ...(this.#includeUsage ? [{ ...part(head, '', null), choices: [], usage: openAiUsage(end.usage) }] : []),
      ],
    }
  }
}

function part({ id, created, model }: ReplyHead, text: string, finish_reason: CompletionFinishReason | null): Completion {
  return { id, object: 'text_completion', created, model, system_fingerprint: null, choices: [{ index: 0, text, logprobs: null, finish_reason }] }
}

function finishReason(reason: FinishReason): CompletionFinishReason {
  return reason === 'length' ? 'length' : reason === 'filtered' ? 'content_filter' : 'stop'
}
