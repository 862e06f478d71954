/** What every ConversationStore does, whatever it runs on. One process at a time owns the database. */
import fc from 'fast-check'
import type { Test } from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, bucketOfUser, newTurnId } from '../../protocol/ids.ts'
import type { Message } from '../../protocol/websocket/fields.ts'
import type { ConversationRow, ConversationStore, WriteResult } from '../conversation-store.ts'
import { StoreModel, stepArbitrary, writeFor } from './store-model.ts'
import { acceptTurn, beginTurn, claimed, createConversation, endTurn, hashOf, Owned, ownConversation, unique, wide } from './writes.ts'

export interface StoreProcess {
  readonly store: ConversationStore
  /** The end of the process; then another may run. */
  stop(): Promise<void>
}

export function storeSuite(t: Test, startProcess: (node: string) => Promise<StoreProcess>): void {
  let process: StoreProcess
  let store: ConversationStore
  t.before(async () => {
    process = await startProcess('node-1')
    store = process.store
  })
  t.teardown(() => process.stop())

  t.test('a conversation is created once per client id, and a repeat must ask for the same', async (t) => {
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
    const history = Array.from({ length: 2_000 }, () => ({ role: 'user', content: 'x'.repeat(524) }) as const)
    const row = await store.createConversation({ userId: unique('user'), clientConversationId: null, title: null, model: null, system: null, history })
    t.equal((await pagesAfter(store, row.conversationId, { limit: 200, maxBytes: 1 << 20 })).flat().length, 2_000)
  })

  t.test('a title given later does not make a repeated create a conflict', async (t) => {
    const input = { userId: unique('user'), clientConversationId: 'c1', title: null, model: null, system: null }
    const row = await store.createConversation(input)
    const owned = new Owned(store, row, claimed(await store.claim(row.conversationId)).token)
    t.same(await owned.write({ title: 'first' }), { status: 'committed' })
    t.same(await owned.write({ title: 'second' }), { status: 'committed' })
    t.equal((await store.createConversation(input)).title, 'first')
  })

  t.test('a conversation is renamed whatever title it has, and stays where it is in the list', async (t) => {
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

  t.test('a claim gives a new epoch and what is unfinished; the token before is stale from then on', async (t) => {
    const owned = await ownConversation(store)
    const first = owned.token
    t.match(first, { epoch: 1, node: 'node-1' })
    const accept = acceptTurn(owned.id)
    await owned.write({ accept })
    const again = claimed(await store.claim(owned.id))
    t.same(again.token, { ...first, epoch: 2 })
    t.match(again.unfinished, [{ turnId: accept.turnId, state: 'queued', attempt: 1, run: 0, bridge: null, userId: owned.row.userId, params: accept.params }])
    t.equal(again.conversation.lastMessageId, again.unfinished[0]?.replyMessageId)
    t.same(await owned.write({ begin: beginTurn(accept.turnId) }), { status: 'stale' })
    t.match(await store.turn(accept.turnId), { run: 0, state: 'queued' })
    t.same([...(await store.stillOwned(new Map([[owned.id, first]]))).owned], [])
    t.same([...(await store.stillOwned(new Map([[owned.id, again.token]]))).owned], [owned.id])
    await store.release(owned.id, first)
    t.same([...(await store.stillOwned(new Map([[owned.id, again.token]]))).owned], [owned.id])
    await store.release(owned.id, again.token)
    owned.token = again.token
    t.same(await owned.write({ begin: beginTurn(accept.turnId) }), { status: 'stale' })
    t.same(await store.claim(owned.id + 1024 * 1_000_000), { status: 'not_found' })
  })

  t.test('ids of a turn are drawn at accept, rise, and name the bucket', async (t) => {
    const owned = await ownConversation(store)
    const ids: number[] = []
    for (let n = 0; n < 4; n += 1) {
      const { accepted } = (await owned.write({ accept: acceptTurn(owned.id) })) as Extract<WriteResult, { status: 'committed' }>
      ids.push(accepted?.userMessageId as number, accepted?.replyMessageId as number)
      t.equal((await store.conversation(owned.id))?.lastMessageId, accepted?.replyMessageId)
    }
    t.same(ids, [...ids].sort((a, b) => a - b))
    t.same(new Set(ids.map(bucketOfId)), new Set([bucketOfId(owned.id)]))
  })

  t.test('a turn goes from accept over grants to its end, and its reply is stored under the id drawn at accept', async (t) => {
    const owned = await ownConversation(store)
    const accept = acceptTurn(owned.id, { content: 'What is "1, {2}"? \\ ünïcödé 😀\n' })
    const result = await owned.write({ accept })
    const accepted = (result as Extract<WriteResult, { status: 'committed' }>).accepted
    t.ok(accepted)
    t.equal((await owned.write({ begin: beginTurn(accept.turnId, 1, { startedAt: 1_000 }) })).status, 'committed')
    t.equal((await owned.write({ begin: beginTurn(accept.turnId, 2, { attempt: 2, bridge: 'bridge-2', barrenGrants: 1, startedAt: 2_000 }) })).status, 'committed')
    t.match(await store.turn(accept.turnId), { run: 2, attempt: 2, bridge: 'bridge-2', barrenGrants: 1, startedAt: 1_000, state: 'running' })
    const error = { code: 'engine_unavailable', message: 'It is "away".', retryable: true }
    const end = endTurn(accept.turnId, 2, 'Partly', { attempt: 3, end: { type: 'failed', error }, usage: null, model: null, costUsd: null })
    t.equal((await owned.write({ ends: [end] })).status, 'committed')
    t.match(await store.turn(accept.turnId), { run: 2, attempt: 3, state: 'failed' })
    const { messages } = await store.messagesBefore(owned.id, wide)
    t.same(messages, [
      {
        message_id: accepted?.userMessageId, role: 'user', content: 'What is "1, {2}"? \\ ünïcödé 😀\n', parent_id: null, turn_id: accept.turnId,
        client_message_id: accept.clientMessageId, created_at: new Date(accept.acceptedAt).toISOString(),
      },
      {
        message_id: accepted?.replyMessageId, role: 'assistant', content: 'Partly', parent_id: accepted?.userMessageId, turn_id: accept.turnId,
        created_at: new Date(end.endedAt).toISOString(), reason: 'failed', error, attempt: 3,
      },
    ])
    t.same(await store.message(owned.id, accepted?.replyMessageId as number), messages[1])
    t.equal(await store.message(owned.id, (accepted?.replyMessageId as number) + 1024), null)
    t.same(await store.reply(owned.id, accepted?.replyMessageId as number), { message: messages[1], usage: null, timing: end.timing, cached: end.cached, costUsd: null })
    t.equal(await store.reply(owned.id, accepted?.userMessageId as number), null, 'a reply only')
    t.equal(await store.turn(newTurnId(bucketOfId(owned.id))), null)
    t.same(claimed(await store.claim(owned.id)).unfinished, [])
  })

  t.test('a repeated client message id is told as duplicate or conflict, and nothing of that write happens', async (t) => {
    const owned = await ownConversation(store)
    const running = acceptTurn(owned.id, { content: 'one' })
    await owned.write({ accept: running })
    await owned.write({ begin: beginTurn(running.turnId) })
    const repeat = { ...running, turnId: newTurnId(bucketOfId(owned.id)) }
    const duplicate = await owned.write({ accept: repeat, ends: [endTurn(running.turnId, 1)], title: 'title' })
    t.match(duplicate, { status: 'duplicate', turn: { turnId: running.turnId, state: 'running' } })
    t.same(await owned.write({ accept: { ...repeat, commandHash: hashOf('two') }, ends: [endTurn(running.turnId, 1)] }), { status: 'conflict' })
    t.match(await store.turn(running.turnId), { state: 'running' })
    t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 1)
    t.equal((await store.conversation(owned.id))?.title, null)
    // Within a conversation only.
    const other = await ownConversation(store)
    t.match(await other.write({ accept: { ...running, turnId: newTurnId(bucketOfId(other.id)) } }), { status: 'committed' })
  })

  t.test('the same write again is found made, whatever it is of', async (t) => {
    const owned = await ownConversation(store)
    const accept = acceptTurn(owned.id)
    const waiting = acceptTurn(owned.id, { state: 'waiting' })
    const first = await owned.write({ accept })
    t.same(await owned.write({ accept }), first)
    await owned.write({ accept: waiting })
    for (const write of [{ begin: beginTurn(accept.turnId, 1) }, { ends: [endTurn(accept.turnId, 1)], promote: waiting.turnId }, { promote: waiting.turnId }]) {
      t.same(await owned.write(write), { status: 'committed' })
      t.same(await owned.write(write), { status: 'committed' })
    }
    t.match(await store.turn(waiting.turnId), { state: 'queued' })
    t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 3)
  })

  t.test('writes of one conversation that nobody waits for are made in their order', async (t) => {
    const owned = await ownConversation(store)
    const accept = acceptTurn(owned.id)
    const writes = [{ accept }, { begin: beginTurn(accept.turnId) }, { ends: [endTurn(accept.turnId, 1)] }, { accept: { ...accept, turnId: newTurnId(bucketOfId(owned.id)) } }]
    const results = await Promise.all(writes.map((write) => owned.write(write)))
    t.match(results.map(({ status }) => status), ['committed', 'committed', 'committed', 'duplicate'])
    t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 2)
  })

  t.test('a comparison that finds something else tells the turn as it stands', async (t) => {
    const owned = await ownConversation(store)
    const other = await ownConversation(store, owned.row.userId)
    const accept = acceptTurn(owned.id)
    await owned.write({ accept })
    const stranger = acceptTurn(other.id)
    await other.write({ accept: stranger })
    const { turnId } = accept
    await owned.write({ begin: beginTurn(turnId, 1) })
    const running = { status: 'missed', turn: { turnId, run: 1, state: 'running' } }
    t.match(await owned.write({ begin: beginTurn(turnId, 1, { bridge: 'another' }) }), running)
    t.match(await owned.write({ begin: beginTurn(turnId, 3) }), running)
    t.match(await owned.write({ ends: [endTurn(turnId, 0)] }), running)
    t.match(await owned.write({ promote: turnId }), running)
    t.same(await owned.write({ ends: [endTurn(stranger.turnId, 0)] }), { status: 'missed', turn: null })
    t.same(await owned.write({ begin: beginTurn(newTurnId(bucketOfId(owned.id))) }), { status: 'missed', turn: null })
    await owned.write({ ends: [endTurn(turnId, 1)] })
    t.match(await owned.write({ begin: beginTurn(turnId, 2) }), { status: 'missed', turn: { state: 'finished' } })
    t.match(await owned.write({ ends: [endTurn(turnId, 1, 'other', { endedAt: 1 })] }), { status: 'missed', turn: { state: 'finished' } })
    t.match(await owned.write({ accept: acceptTurn(owned.id), ends: [endTurn(turnId, 1, 'other', { endedAt: 1 })] }), { status: 'missed' })
    t.match(await store.turn(stranger.turnId), { state: 'queued' })
    t.equal((await store.messagesBefore(owned.id, wide)).messages.length, 2)
  })

  t.test('what Postgres refuses is refused alone, and its neighbours are written', async (t) => {
    const owners = await Promise.all(Array.from({ length: 40 }, () => ownConversation(store)))
    const faulty = new Map<number, readonly [content: string, sqlState: string]>([
      [3, ['x'.repeat(32 * 1024 + 1), '23514']],
      [4, ['nul \0', '22021']],
      [17, ['é'.repeat(16 * 1024) + 'x', '23514']],
      [39, ['lone \ud800 surrogate', '22021']],
    ])
    const accepts = owners.map((owned, n) => acceptTurn(owned.id, { content: faulty.get(n)?.[0] ?? 'é'.repeat(16 * 1024) }))
    const results = await Promise.all(owners.map((owned, n) => owned.write({ accept: accepts[n] as (typeof accepts)[number] })))
    for (const [n, result] of results.entries()) {
      const fault = faulty.get(n)
      if (fault === undefined) t.equal(result.status, 'committed')
      else t.same(result, { status: 'refused', sqlState: fault[1] })
      t.equal((await store.turn(accepts[n]?.turnId as string)) === null, fault !== undefined)
    }
    const [first] = owners
    t.match(await first?.write({ accept: { ...acceptTurn(first.id), params: { stop: ['\0'] } } }), { status: 'refused', sqlState: '22P05' })
    t.match(await first?.write({ ends: [endTurn(accepts[0]?.turnId as string, 0, '\ud800')] }), { status: 'refused' })
    if (first) await t.rejects(first.write({ accept: acceptTurn(first.id, { turnId: newTurnId((bucketOfId(first.id) + 1) % 1024) }) }), RangeError)
  })

  t.test('any sequence of writes has the outcome that the rules say, and leaves what they say', async (t) => {
    const property = fc.asyncProperty(fc.array(fc.tuple(fc.nat(2), stepArbitrary), { minLength: 1, maxLength: 40 }), async (steps) => {
      const models = await Promise.all([0, 1, 2].map(async () => new StoreModel(await ownConversation(store))))
      // The conversations run beside one another, so that their writes share groups.
      await Promise.all(
        models.map(async (model, index) => {
          for (const [, step] of steps.filter(([which]) => which === index)) {
            const write = writeFor(model, step)
            const expected = model.apply(write)
            const result = await model.owned.write(write)
            if (result.status !== expected) throw new Error(`${step.type}: ${result.status} instead of ${expected}`)
            model.learn(write, result)
          }
        }),
      )
      for (const model of models) {
        t.same((await store.messagesBefore(model.owned.id, { limit: 200, maxBytes: 1 << 20 })).messages, model.sortedMessages())
        t.equal((await store.conversation(model.owned.id))?.title, model.removed ? undefined : model.title)
        if (model.removed) t.same(await store.claim(model.owned.id), { status: 'not_found' })
        else t.same(claimed(await store.claim(model.owned.id)).unfinished, model.unfinished())
      }
    })
    await fc.assert(property, { numRuns: 25 })
  })

  t.test('pages joined are all messages, whatever their sizes, and keep to their limits', async (t) => {
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

  t.test('the sweep finds queued and running turns, the oldest first', async (t) => {
    const owned = await ownConversation(store)
    const old = acceptTurn(owned.id, { acceptedAt: 2_000 })
    const oldest = acceptTurn(owned.id, { acceptedAt: 1_000 })
    const waiting = acceptTurn(owned.id, { acceptedAt: 1_500, state: 'waiting' })
    const ended = acceptTurn(owned.id, { acceptedAt: 1_600 })
    for (const accept of [old, oldest, waiting, ended]) await owned.write({ accept })
    await owned.write({ begin: beginTurn(old.turnId) })
    await owned.write({ ends: [endTurn(ended.turnId, 0)] })
    t.same((await store.sweep({ olderThan: 2_001, limit: 10 })).map(({ turnId }) => turnId), [oldest.turnId, old.turnId])
    t.same((await store.sweep({ olderThan: 2_000, limit: 10 })).map(({ turnId }) => turnId), [oldest.turnId])
    t.match(await store.sweep({ olderThan: 3_000, limit: 1 }), [{ turnId: oldest.turnId, userId: owned.row.userId, conversationId: owned.id, liveOwner: owned.token.node }])
    await store.release(owned.id, owned.token)
    t.match(await store.sweep({ olderThan: 3_000, limit: 1 }), [{ turnId: oldest.turnId, liveOwner: null }])
  })

  t.test('a turn that is given up leaves a dead letter with its end, until that is sent', async (t) => {
    const owned = await ownConversation(store)
    const failed = { type: 'failed', error: { code: 'engine_unavailable', message: 'Gone.', retryable: true } } as const
    const [dead, alive, waiting] = [acceptTurn(owned.id), acceptTurn(owned.id), acceptTurn(owned.id, { state: 'waiting' })]
    for (const accept of [dead, alive, waiting]) await owned.write({ accept })
    await owned.write({ begin: beginTurn(dead.turnId) })
    const end = endTurn(dead.turnId, 1, '', { end: failed, attempt: 2, deadLetter: true })
    t.same(await owned.write({ ends: [end, endTurn(alive.turnId, 0, '', { end: failed })] }), { status: 'committed' })
    t.same(await owned.write({ ends: [end] }), { status: 'committed' }, 'made before')
    const expired = endTurn(waiting.turnId, 0, '', { end: { ...failed, error: { ...failed.error, code: 'deadline_exceeded' } }, deadLetter: true })
    await owned.write({ ends: [expired] })
    const common = { conversationId: owned.id, lane: 'standard' }
    const letters = [
      { ...common, turnId: dead.turnId, reason: 'engine_unavailable', attempt: 2, run: 1, bridge: 'bridge-1', failedAt: end.endedAt },
      { ...common, turnId: waiting.turnId, reason: 'deadline_exceeded', attempt: 1, run: 0, bridge: null, failedAt: expired.endedAt },
    ]
    t.same(await store.unsentDeadLetters({ failedBefore: expired.endedAt + 1, limit: 10 }), letters)
    t.same(await store.unsentDeadLetters({ failedBefore: expired.endedAt, limit: 10 }), letters.slice(0, 1))
    t.same(await store.unsentDeadLetters({ failedBefore: expired.endedAt + 1, limit: 1 }), letters.slice(0, 1))
    for (let n = 0; n < 2; n += 1) await store.deadLetterSent(dead.turnId)
    t.same(await store.unsentDeadLetters({ failedBefore: expired.endedAt + 1, limit: 10 }), letters.slice(1))
    await store.deadLetterSent(waiting.turnId)
  })

  t.test('what a process owned that has stopped is the next one\'s at once, with all that was acknowledged', async (t) => {
    const owned = await ownConversation(store)
    const accept = acceptTurn(owned.id, { content: 'kept' })
    await owned.write({ accept })
    await process.stop()
    await t.rejects(store.claim(owned.id), { code: 'unavailable' })
    await t.rejects(owned.write({ begin: beginTurn(accept.turnId) }), ChatError)
    process = await startProcess('node-2')
    store = process.store
    const result = claimed(await store.claim(owned.id))
    t.match(result.token, { epoch: 2, node: 'node-2' })
    t.match(result.unfinished, [{ turnId: accept.turnId }])
    t.match((await store.messagesBefore(owned.id, wide)).messages, [{ content: 'kept' }])
  })
}

interface PageLimits {
  readonly limit: number
  readonly maxBytes: number
}

async function pagesBefore(store: ConversationStore, conversationId: number, limits: PageLimits): Promise<(readonly Message[])[]> {
  const pages: (readonly Message[])[] = []
  for (let before: number | undefined; ; ) {
    const page = await store.messagesBefore(conversationId, { ...limits, ...(before === undefined ? {} : { before }) })
    pages.unshift(page.messages)
    before = page.messages[0]?.message_id
    if (!page.hasMore) return pages
  }
}

/** The newest first. */
async function pagesAfter(store: ConversationStore, conversationId: number, limits: PageLimits): Promise<(readonly Message[])[]> {
  const pages: (readonly Message[])[] = []
  for (let after = 0; ; ) {
    const page = await store.messagesAfter(conversationId, { ...limits, after })
    pages.unshift(page.messages)
    after = page.messages.at(-1)?.message_id ?? after
    if (!page.hasMore) return pages
  }
}

function checkPages(t: Test, all: readonly Message[], pages: readonly (readonly Message[])[], { limit, maxBytes }: PageLimits): void {
  t.same(pages.flat(), all)
  t.ok(pages.every((page) => page.length > 0 && page.length <= limit && (page.length === 1 || bytesOf(page) <= maxBytes)))
}

function bytesOf(messages: readonly Message[]): number {
  return messages.reduce((sum, { content }) => sum + Buffer.byteLength(content), 0)
}

function ancestry(all: readonly Message[], leaf: Message): Message[] {
  const parent = all.find(({ message_id }) => message_id === leaf.parent_id)
  return parent === undefined ? [leaf] : [...ancestry(all, parent), leaf]
}
