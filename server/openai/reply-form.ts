/** What chats and completions have in common: a reply becomes JSON, as a whole or as chunks of a stream. */
import type { OpenAiUsage } from '../../protocol/openai/usage.ts'
import type { FinishReason, Usage } from '../../protocol/websocket/fields.ts'

export interface ReplyHead {
  readonly id: string
  /** Seconds since the epoch. */
  readonly created: number
  /** As served. */
  readonly model: string
}

export interface EndedReply {
  readonly reason: FinishReason
  readonly usage: Usage | null
}

/** Each gives the chunks to send, in order. */
export interface ReplyChunks {
  begin(): readonly object[]
  text(text: string): readonly object[]
  end(end: EndedReply): readonly object[]
}

export interface ReplyForm {
  /** Before the turn's id, in the reply's. */
  readonly idPrefix: string
  whole(head: ReplyHead, text: string, end: EndedReply): object
  chunks(head: ReplyHead): ReplyChunks
}

export function openAiUsage(usage: Usage | null): OpenAiUsage | null {
  if (usage === null) return null
  const { prompt_tokens, completion_tokens } = usage
  return { prompt_tokens, completion_tokens, total_tokens: prompt_tokens + completion_tokens }
}
