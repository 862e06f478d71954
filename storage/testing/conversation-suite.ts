/** Conversations as every store keeps them: created, renamed, deleted, listed. `current`: the store of the process that runs now. */
import type { Test } from 'tap'
import { bucketOfId, bucketOfUser } from '../../protocol/ids.ts'
import type { ConversationRow, ConversationStore, ConversationWrite, DrawnConversation, WriteResult } from '../conversation-store.ts'
import { pagesAfter } from './pages.ts'
import { acceptTurn, beginTurn, claimed, createConversation, endTurn, Owned, ownConversation, unique, wide } from './writes.ts'

export function conversationSuite(t: Test, current: () => ConversationStore): void {
  t.test('a conversation is created once per client id, and a repeat must ask for the same', async (t) => {
    const store = current()
    const userId = unique('user')
    const first = { userId, clientConversationId: 'c1', title: null, model: 'm', system: 'Be brief.' }
    const row = await store.createConversation(first)
    t.match(row, { userId, title: null, model: 'm', system: 'Be brief.', lastMessageId: null })
    t.equal(bucketOfId(row.conversationId), bucketOfUser(userId))
    t.same(await store.createConversation(first), row)
    await t.rejects(store.createConversation({ ...first, system: 'Be long.' }), { code: 'idempotency_conflict' })
    t.not((await store.createConversation({ ...first, clientConversationId: null })).conversationId, row.conversationId)
    t.not((await store.createConversation({ ...first, userId: unique('user') })).conversationId, row.conversationId)
    t.same(await store.conversation(row.conversationId), row)
    t.equal(await store.conversation(row.conversationId + 1024 * 1_000_000), null)
    await t.rejects(store.createConversation({ ...first, clientConversationId: null, system: 'x'.repeat(32 * 1024 + 1) }), { code: 'invalid_field' })
    await t.rejects(store.createConversation({ ...first, clientConversationId: null, title: '\0' }), { code: 'invalid_field' })
  })

  t.test('a conversation begins with the history that it is given, and the next message follows it', async (t) => {
    const store = current()
    const userId = unique('user')
    const history = [...Array.from({ length: 100 }, (_, n) => ({ role: n % 2 === 0 ? 'user' : 'assistant', content: `message ${n} ünïcödé 😀` }) as const), { role: 'system', content: '' } as const]
    const input = { userId, clientConversationId: 'c1', title: null, model: null, system: null, history }
    const row = await store.createConversation(input)
    const { messages } = await store.messagesBefore(row.conversationId, wide)
    t.same(messages.map(({ role, content, turn_id }) => ({ role, content, turn_id })), history.map((message) => ({ ...message, turn_id: null })))
    t.same(messages.map(({ parent_id }) => parent_id), [null, ...messages.slice(0, -1).map(({ message_id }) => message_id)])
    t.ok(messages.every(({ message_id, created_at }) => bucketOfId(message_id) === bucketOfUser(userId) && created_at === new Date(row.createdAt).toISOString()))
    t.equal(row.lastMessageId, messages.at(-1)?.message_id)
    t.same(await store.createConversation(input), row)
    await t.rejects(store.createConversation({ ...input, history: history.slice(1) }), { code: 'idempotency_conflict' })
    await t.rejects(store.createConversation({ ...input, history: [] }), { code: 'idempotency_conflict' })
    await t.rejects(store.createConversation({ ...input, expiresAfterMs: 60_000 }), { code: 'idempotency_conflict' })
    t.equal((await store.messagesBefore(row.conversationId, wide)).messages.length, 101)
    const owned = new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
    const { userMessageId } = await owned.exchange('and then?', 'nothing', row.lastMessageId)
    t.ok(userMessageId > (row.lastMessageId as number))
    t.equal((await store.path(row.conversationId, { leaf: userMessageId, ...wide })).messages.length, 102)
    const faulty = { ...input, clientConversationId: null }
    await t.rejects(store.createConversation({ ...faulty, history: [...history, { role: 'user', content: 'x'.repeat(32 * 1024 + 1) }] }), { code: 'invalid_field' })
    await t.rejects(store.createConversation({ ...faulty, history: [{ role: 'user', content: '\0' }] }), { code: 'invalid_field' })
    t.equal((await store.listConversations(userId, { limit: 10 })).conversations.length, 1, 'nothing is left of those')
  })

  t.test('a history of 2,000 messages and 1 MiB is taken', async (t) => {
    const store = current()
    const history = Array.from({ length: 2_000 }, () => ({ role: 'user', content: 'x'.repeat(524) }) as const)
    const row = await store.createConversation({ userId: unique('user'), clientConversationId: null, title: null, model: null, system: null, history })
    t.equal((await pagesAfter(store, row.conversationId, { limit: 200, maxBytes: 1 << 20 })).flat().length, 2_000)
  })

  t.test('a conversation is made by its first write, whole or not at all, and is its maker\'s from the start', async (t) => {
    const store = current()
    const userId = unique('user')
    const make = { userId, title: null, model: 'm', system: 'Be brief.' }
    const drawn = await Promise.all(Array.from({ length: 100 }, () => store.drawConversation(userId)))
    t.equal(new Set(drawn.map(({ conversationId }) => conversationId)).size, 100)
    t.ok(drawn.every(({ conversationId }) => bucketOfId(conversationId) === bucketOfUser(userId)))
    const [one, two, three, four] = drawn as [DrawnConversation, DrawnConversation, DrawnConversation, DrawnConversation]
    const writeTo = ({ conversationId, token }: DrawnConversation, write: Omit<ConversationWrite, 'conversationId' | 'token'>): Promise<WriteResult> => store.write({ conversationId, token, ...write })
    t.equal(await store.conversation(one.conversationId), null)
    t.same(await writeTo(one, { accept: acceptTurn(one.conversationId) }), { status: 'stale' }, 'only a write that makes it')

    const accept = acceptTurn(one.conversationId)
    const first = await writeTo(one, { make, accept, title: 'hello' })
    t.equal(first.status, 'committed')
    t.same(await writeTo(one, { make, accept, title: 'hello' }), first, 'the same again is found made')
    const row = await store.conversation(one.conversationId)
    t.match(row, { ...make, title: 'hello', lastMessageId: first.status === 'committed' ? first.accepted?.replyMessageId : null })
    t.equal((await writeTo(one, { begin: beginTurn(accept.turnId) })).status, 'committed')
    t.same([...(await store.stillOwned(new Map([[one.conversationId, one.token]]))).owned], [one.conversationId])

    await store.claim(one.conversationId)
    t.same(await writeTo(one, { make, accept: acceptTurn(one.conversationId) }), { status: 'stale' }, 'its epoch is another by now')
    t.match(await writeTo(two, { make, accept: acceptTurn(two.conversationId, { content: '\0' }) }), { status: 'refused' })
    t.match(await writeTo(two, { make: { ...make, system: 'x'.repeat(32 * 1024 + 1) }, accept: acceptTurn(two.conversationId) }), { status: 'refused' })
    t.match(await writeTo(two, { make: { ...make, title: '\ud800' }, accept: acceptTurn(two.conversationId) }), { status: 'refused' })
    t.equal(await store.conversation(two.conversationId), null, 'nothing is left of those')

    t.equal((await writeTo(three, { make: { ...make, expiresAfterMs: 60_000 }, accept: acceptTurn(three.conversationId) })).status, 'committed')
    t.same((await store.listConversations(userId, { limit: 10 })).conversations, [row], 'one that expires is not listed')
    t.equal((await writeTo(four, { make, accept: acceptTurn(four.conversationId) })).status, 'committed')
    t.same(await writeTo(four, { remove: true }), { status: 'committed' })
    t.same(await writeTo(four, { make, accept: acceptTurn(four.conversationId) }), { status: 'stale' }, 'what was deleted is not made again')
  })

  t.test('a title given later does not make a repeated create a conflict', async (t) => {
    const store = current()
    const input = { userId: unique('user'), clientConversationId: 'c1', title: null, model: null, system: null }
    const row = await store.createConversation(input)
    const owned = new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
    t.same(await owned.write({ title: 'first' }), { status: 'committed' })
    t.same(await owned.write({ title: 'second' }), { status: 'committed' })
    t.equal((await store.createConversation(input)).title, 'first')
  })

  t.test('a conversation is renamed whatever title it has, and stays where it is in the list', async (t) => {
    const store = current()
    const userId = unique('user')
    const owned = await ownConversation(store, userId)
    const other = await createConversation(store, userId)
    await owned.write({ title: 'first' })
    for (let n = 0; n < 2; n += 1) t.same(await owned.write({ rename: 'second' }), { status: 'committed' })
    t.same(await owned.write({ title: 'third' }), { status: 'committed' })
    t.same((await store.listConversations(userId, { limit: 2 })).conversations.map(({ conversationId, title }) => [conversationId, title]), [[other.conversationId, null], [owned.id, 'second']])
    t.match(await owned.write({ rename: '\0' }), { status: 'refused' })
  })

  t.test('a deleted conversation is gone for everybody at once, and its rows go later', async (t) => {
    const store = current()
    const userId = unique('user')
    const row = await store.createConversation({ userId, clientConversationId: 'c1', title: null, model: null, system: null })
    const owned = new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
    const { turnId, userMessageId } = await owned.exchange('hello', 'there')
    const running = acceptTurn(owned.id, { acceptedAt: 1_000 })
    await owned.write({ accept: running })
    await owned.write({ begin: beginTurn(running.turnId) })
    const { token } = owned
    owned.token = { ...token, epoch: token.epoch + 1 }
    t.same(await owned.write({ remove: true }), { status: 'stale' }, 'by its owner alone')
    owned.token = token
    for (let n = 0; n < 2; n += 1) t.same(await owned.write({ remove: true }), { status: 'committed' }, 'the same again is found made')
    t.equal(await store.conversation(owned.id), null)
    t.same((await store.listConversations(userId, { limit: 2 })).conversations, [])
    t.same((await store.messagesBefore(owned.id, wide)).messages, [])
    t.same((await store.messagesAfter(owned.id, { after: 0, ...wide })).messages, [])
    for (const id of [turnId, running.turnId]) t.equal(await store.turn(id), null)
    t.equal(await store.acceptedTurn(owned.id, running.clientMessageId), null)
    t.same(await store.claim(owned.id), { status: 'not_found' })
    t.same([...(await store.stillOwned(new Map([[owned.id, owned.token]]))).owned], [])
    t.notOk((await store.sweep({ olderThan: 2_000, limit: 1_000 })).some((swept) => swept.conversationId === owned.id))
    t.same(await owned.write({ ends: [endTurn(running.turnId, 1)] }), { status: 'stale' })
    t.not((await store.createConversation({ userId, clientConversationId: 'c1', title: null, model: null, system: null })).conversationId, owned.id)
    while (await store.purge({ limit: 1 }));
    t.equal(await store.message(owned.id, userMessageId), null)
    t.same(await owned.write({ remove: true }), { status: 'stale' }, 'nothing is known of it any more')
  })

  t.test('conversations are listed by their last use, a page at a time', async (t) => {
    const store = current()
    const userId = unique('user')
    const rows: ConversationRow[] = []
    for (let n = 0; n < 5; n += 1) rows.push(await createConversation(store, userId))
    await createConversation(store)
    const used = rows[1]?.conversationId as number
    const owned = new Owned(store, rows[1] as ConversationRow, claimed(await store.claim(used)).token)
    await owned.write({ accept: acceptTurn(used, { acceptedAt: Date.now() + 5_000 }) })
    const pages: number[][] = []
    for (let before: number | undefined; ; ) {
      const page = await store.listConversations(userId, { limit: 2, ...(before === undefined ? {} : { before }) })
      pages.push(page.conversations.map(({ conversationId }) => conversationId))
      before = pages.at(-1)?.at(-1)
      if (!page.hasMore) break
    }
    t.same(pages.map(({ length }) => length), [2, 2, 1])
    t.same(pages.flat(), [used, ...[4, 3, 2, 0].map((n) => rows[n]?.conversationId)])
    t.same(await store.listConversations(unique('user'), { limit: 2, before: used }), { conversations: [], hasMore: false })
  })
}
