/** What was said, as every store gives it: in pages, along a branch, and whole. `current`: the store of the process that runs now. */
import fc from 'fast-check'
import type { Test } from 'tap'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { ConversationStore } from '../conversation-store.ts'
import { ancestry, bytesOf, checkPages, pagesAfter, pagesBefore } from './pages.ts'
import { claimed, createConversation, Owned, ownConversation, unique, wide } from './writes.ts'

export function historySuite(t: Test, current: () => ConversationStore): void {
  t.test('pages joined are all messages, whatever their sizes, and keep to their limits', async (t) => {
    const store = current()
    const shape = fc.array(fc.tuple(fc.nat(3), fc.integer({ min: 0, max: 3000 })), { minLength: 1, maxLength: 12 })
    const property = fc.asyncProperty(shape, fc.integer({ min: 1, max: 7 }), fc.integer({ min: 1, max: 9000 }), async (turns, limit, maxBytes) => {
      const owned = await ownConversation(store)
      const all: Message[] = []
      for (const [back, length] of turns) {
        const parent = all.at(-1 - back * 2)?.message_id ?? null
        const ids = await owned.exchange('q'.repeat(length), 'é'.repeat(length >> 1), parent)
        for (const id of [ids.userMessageId, ids.replyMessageId]) all.push((await store.message(owned.id, id)) as Message)
      }
      checkPages(t, all, await pagesBefore(store, owned.id, { limit, maxBytes }), { limit, maxBytes })
      checkPages(t, all, (await pagesAfter(store, owned.id, { limit, maxBytes })).reverse(), { limit, maxBytes })
      for (const leaf of all) {
        const path: Message[] = []
        for (let at: number | null = leaf.message_id; at !== null; ) {
          const page = await store.path(owned.id, { leaf: at, limit, maxBytes })
          t.ok(page.messages.length <= limit && (page.messages.length === 1 || bytesOf(page.messages) <= maxBytes))
          path.unshift(...page.messages)
          at = page.more
        }
        t.same(path, ancestry(all, leaf))
      }
    })
    await fc.assert(property, { numRuns: 12 })
    const empty = await createConversation(store)
    t.same(await store.messagesBefore(empty.conversationId, wide), { messages: [], hasMore: false })
    t.same(await store.messagesAfter(empty.conversationId, { after: 0, ...wide }), { messages: [], hasMore: false })
    t.same(await store.path(empty.conversationId, { leaf: 1024, ...wide }), { messages: [], more: null })
  })

  t.test('an export is all messages in their order, and may be left at any time', async (t) => {
    const store = current()
    const history = Array.from({ length: 300 }, (_, n) => ({ role: 'user', content: `${n} ${'é'.repeat(n * 10)}` }) as const)
    const row = await store.createConversation({ userId: unique('user'), clientConversationId: null, title: null, model: null, system: null, history })
    const owned = new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
    await owned.exchange('and', 'more', null)
    const { signal } = new AbortController()
    const batches: (readonly Message[])[] = []
    for await (const batch of store.exportMessages(owned.id, signal)) batches.push(batch)
    t.same(batches.flat(), (await pagesAfter(store, owned.id, { limit: 200, maxBytes: 1 << 20 })).reverse().flat())
    t.equal(batches.flat().length, 302)
    t.ok(batches.every((batch) => batch.length > 0 && batch.length <= 64))
    for (let n = 0; n < 10; n += 1) {
      for await (const batch of store.exportMessages(owned.id, signal)) if (batch[0] !== undefined) break
      const leaving = new AbortController()
      const left = store.exportMessages(owned.id, leaving.signal)
      await left.next()
      leaving.abort(new Error('gone'))
      await t.rejects(left.next(), { message: 'gone' })
      await t.rejects(store.exportMessages(owned.id, leaving.signal).next(), { message: 'gone' })
    }
    t.same(await store.exportMessages((await createConversation(store)).conversationId, signal).next(), { done: true, value: undefined })
    t.same(await store.exportMessages(owned.id + 1024 * 1_000_000, signal).next(), { done: true, value: undefined })
  })
}
