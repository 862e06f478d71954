/** What a conversation may begin with beside what clients of the WebSocket can say: for the transports that bring a history along. */
import { importFault, type ImportedMessage } from '../protocol/imported-history.ts'
import { ChatError } from '../protocol/errors.ts'
import { utf8Length } from '../protocol/text.ts'
import type { MakeConversation } from '../storage/conversation-store.ts'
import { limits } from '../protocol/websocket/limits.ts'

export interface Creation {
  /** Oldest first. System messages that lead it are taken as the conversation's system prompt, as far as that has room. */
  readonly history?: readonly ImportedMessage[]
  /** Not listed, and deleted some time after this. */
  readonly expiresAfterMs?: number
}

/** What a conversation is made with that has no id of its client's and no history: it is made with its first message. */
export type Beginning = Pick<MakeConversation, 'title' | 'model' | 'system' | 'expiresAfterMs'>

/** Throws ChatError: `history_too_long`, `text_too_long`, `text_not_well_formed`. */
export function beginning(system: string | null, history: readonly ImportedMessage[] = []): { readonly system: string | null; readonly history: readonly ImportedMessage[] } {
  const fault = importFault(history)
  if (fault !== null) throw new ChatError(fault.code, `Message ${fault.index + 1} of the history is at fault.`)
  let prompt = system
  let first = 0
  for (; history[first]?.role === 'system'; first += 1) {
    const { content } = history[first] as ImportedMessage
    const joined = prompt === null ? content : `${prompt}\n\n${content}`
    if (utf8Length(joined) > limits.textBytes) break
    prompt = joined
  }
  return { system: prompt, history: history.slice(first) }
}
