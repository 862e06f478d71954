/** What every ConversationStore does, whatever it runs on. One process at a time owns the database. */
import fc from 'fast-check'
import type { Test } from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { bucketOfId, newTurnId } from '../../protocol/ids.ts'
import type { ConversationStore, WriteResult } from '../conversation-store.ts'
import { conversationSuite } from './conversation-suite.ts'
import { historySuite } from './history-suite.ts'
import { StoreModel, stepArbitrary, writeFor } from './store-model.ts'
import { acceptTurn, beginTurn, claimed, endTurn, hashOf, ownConversation, wide } from './writes.ts'

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

  conversationSuite(t, () => store)

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

  historySuite(t, () => store)

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
