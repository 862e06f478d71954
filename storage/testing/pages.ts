/** All pages of a conversation, and what they must be. */
import type { Test } from 'tap'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { ConversationStore } from '../conversation-store.ts'

export interface PageLimits {
  readonly limit: number
  readonly maxBytes: number
}

export async function pagesBefore(store: ConversationStore, conversationId: number, limits: PageLimits): Promise<(readonly Message[])[]> {
  const pages: (readonly Message[])[] = []
  for (let before: number | undefined; ; ) {
    const page = await store.messagesBefore(conversationId, { ...limits, ...(before === undefined ? {} : { before }) })
    pages.unshift(page.messages)
    before = page.messages[0]?.message_id
    if (!page.hasMore) return pages
  }
}

/** The newest first. */
export async function pagesAfter(store: ConversationStore, conversationId: number, limits: PageLimits): Promise<(readonly Message[])[]> {
  const pages: (readonly Message[])[] = []
  for (let after = 0; ; ) {
    const page = await store.messagesAfter(conversationId, { ...limits, after })
    pages.unshift(page.messages)
    after = page.messages.at(-1)?.message_id ?? after
    if (!page.hasMore) return pages
  }
}

export function checkPages(t: Test, all: readonly Message[], pages: readonly (readonly Message[])[], { limit, maxBytes }: PageLimits): void {
  t.same(pages.flat(), all)
  t.ok(pages.every((page) => page.length > 0 && page.length <= limit && (page.length === 1 || bytesOf(page) <= maxBytes)))
}

export function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
}

export function ancestry(all: readonly Message[], leaf: Message): Message[] {
  const parent = all.find(({ message_id }) => message_id === leaf.parent_id)
  return parent === undefined ? [leaf] : [...ancestry(all, parent), leaf]
}
