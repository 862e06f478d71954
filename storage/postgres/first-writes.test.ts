import { setTimeout as delay } from 'node:timers/promises'
import t from 'tap'
import { createLogger } from '../../platform/logging/logger.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import type { ConversationStore, ConversationWrite, DrawnConversation, WriteResult } from '../conversation-store.ts'
import { CuttingProxy } from '../testing/cutting-proxy.ts'
import { connectTo, newDatabase, startStorage } from '../testing/postgres-shards.ts'
import { acceptTurn, beginTurn, ownConversation, wide } from '../testing/writes.ts'

const logger = createLogger({ level: 'silent', name: 'test' })
t.teardown(() => logger.close())

let postgres: PostgresServer
t.before(async () => {
  postgres = await startPostgres(t)
})

const make = { userId: 'ann', title: null, model: null, system: null }

function firstWrite({ conversationId, token }: DrawnConversation, content = 'hello'): ConversationWrite & { readonly accept: NonNullable<ConversationWrite['accept']> } {
  return { conversationId, token, make, title: content, accept: acceptTurn(conversationId, { content }) }
}

/** The conversation is there once, with one turn, whose ids are those that were told. */
async function checkMade(t: Pick<typeof import('tap').t, 'match' | 'equal'>, store: ConversationStore, write: ReturnType<typeof firstWrite>, result: WriteResult): Promise<void> {
  const { conversationId, accept } = write
  t.equal(result.status, 'committed')
  const { userMessageId, replyMessageId } = (result.status === 'committed' ? result.accepted : undefined) ?? { userMessageId: 0, replyMessageId: 0 }
  t.match((await store.messagesBefore(conversationId, wide)).messages, [{ message_id: userMessageId, role: 'user', content: write.title, parent_id: null, turn_id: accept.turnId, client_message_id: accept.clientMessageId }])
  t.match(await store.conversation(conversationId), { title: write.title, lastMessageId: replyMessageId })
  t.match(await store.claim(conversationId), { status: 'claimed', token: { epoch: 2 }, unfinished: [{ turnId: accept.turnId, userMessageId, replyMessageId, state: 'queued', params: accept.params, acceptedAt: accept.acceptedAt, deadlineAt: accept.deadlineAt }] })
}

t.test('a conversation whose first write is cut around its commit is there once, with its turn', async (t) => {
  const proxy = await CuttingProxy.start(postgres.port)
  t.teardown(() => proxy.stop())
  const url = new URL(await newDatabase(postgres))
  url.port = String(proxy.port)
  const { store } = await startStorage(t, [url.href], { logger })
  for (const cut of [null, 'before', 'after'] as const) {
    const write = firstWrite(await store.drawConversation('ann'))
    proxy.next = cut
    const result = await store.write(write)
    t.equal(proxy.next, null)
    await checkMade(t, store, write, result)
  }
  t.equal(proxy.cuts, 2)
})

t.test('first writes of one batch are made each for itself, whatever one of them holds', async (t) => {
  const { store } = await startStorage(t, [await newDatabase(postgres)], { logger })
  const writes = await Promise.all(Array.from({ length: 20 }, async (_, n) => firstWrite(await store.drawConversation('ann'), n === 7 ? '\0' : `message ${n}`)))
  const results = await Promise.all(writes.map((write) => store.write(write, { giveUpAfterMs: 10_000 })))
  for (const [n, result] of results.entries()) {
    const write = writes[n] as (typeof writes)[number]
    if (n !== 7) await checkMade(t, store, write, result)
    else t.match([result.status, await store.conversation(write.conversationId)], ['refused', null])
  }
})

t.test('a first write does not wait for the group under way', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const other = await ownConversation(store)
  const turn = acceptTurn(other.id)
  await other.write({ accept: turn })
  const holder = await connectTo(t, url)
  await holder.query('BEGIN')
  await holder.query('SELECT FROM conversations WHERE id = $1 FOR UPDATE', [other.id])
  let isBegun = false
  const beginning = other.write({ begin: beginTurn(turn.turnId) }).finally(() => {
    isBegun = true
  })
  const write = firstWrite(await store.drawConversation('ann'))
  t.equal((await store.write(write)).status, 'committed')
  t.notOk(isBegun)
  await holder.query('COMMIT')
  t.equal((await beginning).status, 'committed')
})

t.test('a first write that takes too long is given up, and one that could not be made is not there', async (t) => {
  const url = await newDatabase(postgres)
  const { store } = await startStorage(t, [url], { logger })
  const holder = await connectTo(t, url)
  const drawn = await store.drawConversation('ann')
  await holder.query('BEGIN')
  await holder.query('LOCK TABLE conversations IN SHARE MODE')
  await t.rejects(store.write(firstWrite(drawn), { giveUpAfterMs: 100 }), { code: 'unavailable' })
  await holder.query('COMMIT')
  while ((await store.conversation(drawn.conversationId)) === null) await delay(5)
  t.match(await store.claim(drawn.conversationId), { status: 'claimed', unfinished: [{ state: 'queued' }] }, 'it may be made all the same, as any write that is given up')
})
