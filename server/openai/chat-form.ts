/** A reply in the form of chat completions: chunk by chunk, or whole. Pure; the chunks joined say what the whole says. */
import type { ChatCompletion, ChatCompletionChunk, ChatCompletionDelta, ChatFinishReason } from '../../protocol/openai/chat-completion.ts'
import type { ToolCall } from '../../protocol/openai/chat-completion-request.ts'
import type { FinishReason } from '../../protocol/websocket/fields.ts'
import type { CalledFunction } from './hermes.ts'
import { openAiUsage, type EndedReply, type ReplyForm, type ReplyHead } from './reply-form.ts'
import { ToolCallParser, type ReplyPart } from './tool-call-parser.ts'

export interface ChatFormOptions {
  /** Whether calls of tools are looked for. */
  readonly tools: boolean
  /** Of a stream: whether usage is told in a chunk of its own. */
  readonly includeUsage: boolean
  /** Told where the conversation is kept. */
  readonly conversationId: number | null
}

export class ChatForm implements ReplyForm {
  readonly idPrefix = 'chatcmpl'
  readonly #options: ChatFormOptions

  constructor(options: ChatFormOptions) {
    this.#options = options
  }

  whole(head: ReplyHead, text: string, end: EndedReply): ChatCompletion {
    const { conversationId } = this.#options
    const parser = this.#options.tools ? new ToolCallParser() : null
    const parts = parser === null ? [{ type: 'text', text } as const] : [...parser.push(text), ...parser.end()]
    const calls = parts.flatMap((part) => (part.type === 'call' ? [part.call] : []))
    const content = parts.map((part) => (part.type === 'text' ? part.text : '')).join('')
    const usage = openAiUsage(end.usage)
    return {
      ...fields(head),
      object: 'chat.completion',
      choices: [
        {
          index: 0,
          message: {
            role: 'assistant',
            content: content === '' && calls.length > 0 ? null : content,
            refusal: null,
            ...(calls.length === 0 ? {} : { tool_calls: calls.map((call, index) => toolCall(head, call, index)) }),
          },
          logprobs: null,
          finish_reason: finishReason(end.reason, calls.length > 0),
        },
      ],
      ...(usage === null ? {} : { usage }),
      ...(conversationId === null ? {} : { metadata: { conversation_id: String(conversationId) } }),
    }
  }

  chunks(head: ReplyHead): ChatChunks {
    return new ChatChunks(head, this.#options)
  }
}

export class ChatChunks {
  readonly #head: ReplyHead
  readonly #includeUsage: boolean
  readonly #parser: ToolCallParser | null
  #calls = 0

  constructor(head: ReplyHead, { tools, includeUsage }: ChatFormOptions) {
    this.#head = head
    this.#includeUsage = includeUsage
    this.#parser = tools ? new ToolCallParser() : null
  }

  begin(): ChatCompletionChunk[] {
    return [this.#chunk({ role: 'assistant', content: '' }, null)]
  }

  text(text: string): ChatCompletionChunk[] {
    return this.#parser === null ? [this.#chunk({ content: text }, null)] : this.#parts(this.#parser.push(text))
  }

  end({ reason, usage }: EndedReply): ChatCompletionChunk[] {
    const rest = this.#parts(this.#parser?.end() ?? [])
    const told = this.#includeUsage ? [{ ...this.#chunk({}, null), choices: [], usage: openAiUsage(usage) }] : []
    return [...rest, this.#chunk({}, finishReason(reason, this.#calls > 0)), ...told]
  }

  #parts(parts: readonly ReplyPart[]): ChatCompletionChunk[] {
    return parts.map((part) => {
      if (part.type === 'text') return this.#chunk({ content: part.text }, null)
      const index = this.#calls
      this.#calls += 1
      return this.#chunk({ tool_calls: [{ index, ...toolCall(this.#head, part.call, index) }] }, null)
    })
  }

  #chunk(delta: ChatCompletionDelta, finish_reason: ChatFinishReason | null): ChatCompletionChunk {
    const { id, created, model } = this.#head
    return { id, created, model, system_fingerprint: null, object: 'chat.completion.chunk', choices: [{ index: 0, delta, logprobs: null, finish_reason }], ...(this.#includeUsage ? { usage: null } : {}) }
  }
}

function fields({ id, created, model }: ReplyHead): Pick<ChatCompletion, 'id' | 'created' | 'model' | 'system_fingerprint'> {
  return { id, created, model, system_fingerprint: null }
}

/** The same id whenever the same reply is read. */
function toolCall({ id }: ReplyHead, { name, arguments: json }: CalledFunction, index: number): ToolCall {
  return { id: `call_${id.replace(/^chatcmpl-/, '').replaceAll('-', '')}${index}`, type: 'function', function: { name, arguments: json } }
}

function finishReason(reason: FinishReason, calls: boolean): ChatFinishReason {
  if (reason === 'length') return 'length'
  if (reason === 'filtered') return 'content_filter'
  return calls ? 'tool_calls' : 'stop'
}
