import t from 'tap'
import type { ReplyOf } from '../../protocol/websocket/messages.ts'
import { startPostgres, type PostgresServer } from '../../tests/harness/postgres.ts'
import { code, create, Device, newChat, newWorld, open, send } from '../testing/edges.ts'

let postgres: PostgresServer

t.before(async () => {
  postgres = await startPostgres()
})
t.teardown(() => postgres.stop())

t.test('a message is answered, on two devices alike, and is there afterwards', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres, 2)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const [a, b] = [new Device(), new Device('chatterbot.v1.msgpack')]
  await open(edge, 'ann', id, a)
  await open(edge, 'ann', id, b)
  const accepted = await send(edge, 'ann', id, '# Why is the *sky* blue?')
  const run = await bridge.run()
  t.match(run.granted, { run: 1, attempt: 1, user_id: 'ann', model: 'test-model', messages: [{ role: 'user', content: '# Why is the *sky* blue?' }], more: null, resume: null })
  run.say('Because ')
  run.say('of scattering.')
  t.equal(await run.finish(), 'confirmed')
  for (const device of [a, b]) {
    await device.until(() => device.ends.has(accepted.turn_id))
    t.equal(device.text.get(accepted.turn_id), 'Because of scattering.')
    t.match(device.ends.get(accepted.turn_id), { type: 'turn.finished', reason: 'stop', end: 22, message_id: accepted.reply_message_id, usage: { prompt_tokens: 7 } })
    t.same(device.events.map(({ type }) => type).filter((type) => type !== 'turn.delta' && type !== 'turn.queued'), ['message.added', 'conversation.updated', 'turn.started', 'turn.finished'])
  }
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.match(messages, [
    { message_id: accepted.message_id, role: 'user', parent_id: null, client_message_id: accepted.client_message_id },
    { message_id: accepted.reply_message_id, role: 'assistant', content: 'Because of scattering.', parent_id: accepted.message_id, reason: 'stop', model: 'test-model' },
  ])
  const { conversations } = await edge.runtime.service.list('ann', { type: 'conversation.list' })
  t.match(conversations, [{ conversation_id: id, title: 'Why is the *sky* blue?' }])
})

t.test('a conversation that begins with a history goes on from it, and one that expires is not listed', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres)
  const edge = await startOne()
  const bridge = startBridge()
  const history = [{ role: 'system', content: 'Be brief.' }, { role: 'user', content: 'hello' }, { role: 'assistant', content: 'hi' }] as const
  const { conversation_id } = await edge.runtime.service.create('ann', { type: 'conversation.create', system: 'Be kind.' }, { history, expiresAfterMs: 60_000 })
  const accepted = await send(edge, 'ann', conversation_id, 'how are you?')
  const run = await bridge.run()
  t.match(run.granted, { system: 'Be kind.\n\nBe brief.', messages: [{ role: 'user', content: 'hello', imported: true }, { role: 'assistant', content: 'hi', imported: true }, { content: 'how are you?', imported: undefined }] })
  await run.finish()
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id })
  t.match(messages, [{ role: 'user', content: 'hello', parent_id: null, turn_id: null }, { role: 'assistant', content: 'hi', turn_id: null }, { message_id: accepted.message_id }, { message_id: accepted.reply_message_id }])
  t.equal(accepted.parent_id, messages[1]?.message_id)
  const again = await edge.runtime.service.regenerate('ann', { type: 'turn.regenerate', conversation_id, message_id: messages[1]?.message_id as number, client_message_id: 'again' })
  t.equal(again.message_id, messages[0]?.message_id)
  t.same((await edge.runtime.service.list('ann', { type: 'conversation.list' })).conversations, [])
  const create = (history: readonly { readonly role: 'user'; readonly content: string }[]) => edge.runtime.service.create('ann', { type: 'conversation.create' }, { history })
  t.equal(await code(create(Array.from({ length: 2_001 }, () => ({ role: 'user', content: 'x' })))), 'history_too_long')
  t.equal(await code(create([{ role: 'user', content: 'x'.repeat(33_000) }])), 'text_too_long')
  t.equal(await code(create([{ role: 'user', content: '\ud800' }])), 'text_not_well_formed')
})

t.test('a conversation is made with its first message, both or neither, and is another edge\'s to forward to', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres, 2)
  const [edge, other] = [await startOne('edge-1'), await startOne('edge-2')]
  const bridge = startBridge()
  const { service } = edge.runtime
  const beginning = { title: null, model: null, system: 'Be kind.' }
  const begin = async (text: string): Promise<ReplyOf<'message.send'>> => {
    const drawn = await service.draw('ann')
    return service.begin('ann', drawn, beginning, { type: 'message.send', conversation_id: drawn.conversationId, client_message_id: 'c1', text })
  }
  t.equal(await code(begin('\0')), 'internal')
  t.equal(edge.runtime.counts().actors, 0)
  t.same((await service.list('ann', { type: 'conversation.list' })).conversations, [])

  const accepted = await begin('hello')
  t.match(accepted, { duplicate: false, state: 'queued', parent_id: null })
  t.equal(edge.runtime.counts().actors, 1)
  const run = await bridge.run()
  t.match(run.granted, { run: 1, edge: 'edge-1', system: 'Be kind.', messages: [{ content: 'hello' }] })
  run.say('hi')
  t.equal(await run.finish(), 'confirmed')
  const again = await send(other, 'ann', accepted.conversation_id, 'and again')
  t.equal(again.parent_id, accepted.reply_message_id)
  t.equal(other.runtime.counts().actors, 0, 'its maker owns it')
  t.equal(await code(send(other, 'bob', accepted.conversation_id, 'mine?')), 'conversation_not_found')
  await (await bridge.run()).finish()
  t.match((await service.list('ann', { type: 'conversation.list' })).conversations, [{ conversation_id: accepted.conversation_id, title: 'hello' }])
})

t.test('a deleted conversation ends what is under way in it, and is there for nobody', async (t) => {
  const { edge, bridge, id, device } = await newChat(t, postgres)
  const { service } = edge.runtime
  const running = await send(edge, 'ann', id, 'a story')
  const waiting = await send(edge, 'ann', id, 'and another')
  const run = await bridge.run()
  run.say('Once')
  await device.until(() => device.text.get(running.turn_id) === 'Once')
  const remove = () => service.delete('ann', { type: 'conversation.delete', conversation_id: id })
  const outcomes = await Promise.all([code(remove()), code(remove())])
  // The other may have come after it.
  t.match(outcomes.sort(), [/no error|conversation_not_found/, 'no error'])
  t.equal(await code(remove()), 'conversation_not_found')
  t.equal(await code(send(edge, 'ann', id, 'too late')), 'conversation_not_found')
  t.same(device.events.slice(-3).map(({ type }) => type), ['turn.finished', 'turn.finished', 'conversation.deleted'])
  t.match([device.ends.get(running.turn_id), device.ends.get(waiting.turn_id)], [{ reason: 'stopped', end: 4 }, { reason: 'stopped', end: 0 }])
  t.equal(await run.finish(), 'abort')
  t.same(bridge.aborted, [running.turn_id])
  t.equal(await code(open(edge, 'ann', id, new Device())), 'conversation_not_found')
  t.equal(await code(service.history('ann', { type: 'history.get', conversation_id: id })), 'conversation_not_found')
  t.equal(await code(service.stop('ann', { type: 'turn.stop', turn_id: running.turn_id })), 'turn_not_found')
  t.equal(await code(service.turn('ann', running.turn_id)), 'turn_not_found')
  t.equal(await service.ownerOf(id), null)
  t.same((await service.list('ann', { type: 'conversation.list' })).conversations, [])
  t.same(edge.runtime.counts(), { actors: 0, turns: 0, mirrors: 0, followers: 0 })
})

t.test('a message sent twice is answered once, and another under the same key is refused', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const first = await send(edge, 'ann', id, 'hello', { client_message_id: 'k' })
  const again = await send(edge, 'ann', id, 'hello', { client_message_id: 'k' })
  t.same({ ...again, state: first.state }, { ...first, duplicate: true })
  t.equal(await code(send(edge, 'ann', id, 'other', { client_message_id: 'k' })), 'idempotency_conflict')
  const run = await bridge.run()
  await run.finish()
  t.match(await send(edge, 'ann', id, 'hello', { client_message_id: 'k' }), { turn_id: first.turn_id, state: 'finished', duplicate: true })
})

t.test('a repetition is told its first answer also where no more may wait', async (t) => {
  const { edge, bridge, id } = await newChat(t, postgres)
  const first = await send(edge, 'ann', id, 'hello', { client_message_id: 'k' })
  await (await bridge.run()).finish()
  for (let n = 0; n < 5; n += 1) await send(edge, 'ann', id, `m${n}`)
  t.equal(await code(send(edge, 'ann', id, 'new')), 'busy')
  t.match(await send(edge, 'ann', id, 'hello', { client_message_id: 'k' }), { turn_id: first.turn_id, state: 'finished', duplicate: true })
  t.equal(await code(send(edge, 'ann', id, 'other', { client_message_id: 'k' })), 'idempotency_conflict')
})

t.test('what is not yours is not there', async (t) => {
  const { edge: startOne } = await newWorld(t, postgres)
  const edge = await startOne()
  const id = await create(edge, 'ann')
  const { turn_id, message_id } = await send(edge, 'ann', id, 'secret')
  const { service } = edge.runtime
  const strange = id + 1024
  for (const other of [id, strange]) {
    t.equal(await code(open(edge, 'bob', other, new Device())), 'conversation_not_found')
    t.equal(await code(send(edge, 'bob', other, 'hi')), 'conversation_not_found')
    t.equal(await code(service.history('bob', { type: 'history.get', conversation_id: other })), 'conversation_not_found')
    t.equal(await code(service.edit('bob', { type: 'message.edit', conversation_id: other, message_id, client_message_id: 'x', text: 'y' })), 'conversation_not_found')
  }
  t.equal(await code(service.stop('bob', { type: 'turn.stop', turn_id })), 'turn_not_found')
  t.equal(await code(service.stop('ann', { type: 'turn.stop', turn_id: turn_id.replace(/.{12}$/, '000000000000') })), 'turn_not_found')
  const foreign = await create(edge, 'ann')
  t.equal(await code(send(edge, 'ann', foreign, 'hi', { parent_id: message_id })), 'message_not_found')
  t.equal(await code(service.edit('ann', { type: 'message.edit', conversation_id: foreign, message_id, client_message_id: 'x', text: 'y' })), 'message_not_found')
})

t.test('a device that comes back goes on at the next character', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const first = new Device()
  const { subscription } = await open(edge, 'ann', id, first)
  const { turn_id, message_id } = await send(edge, 'ann', id, 'tell me a story')
  const run = await bridge.run()
  run.say('Once upon')
  await first.until(() => first.text.get(turn_id) === 'Once upon')
  subscription.close()
  run.say(' a time')
  const second = new Device()
  second.text.set(turn_id, 'Once')
  const { opened } = await open(edge, 'ann', id, second, { message_id, turn_id, attempt: 1, offset: 4 })
  t.match(opened, { reset: false, active_leaf: Number, turns: [{ turn_id, attempt: 1, offset: 4, state: 'running' }] })
  const [snapshot] = opened.turns
  t.ok(' upon a time'.startsWith(snapshot?.text ?? '?'))
  second.text.set(turn_id, 'Once' + (snapshot?.text ?? ''))
  run.say(' there was')
  await run.finish()
  await second.until(() => second.ends.has(turn_id))
  t.equal(second.text.get(turn_id), 'Once upon a time there was')
  t.match((await open(edge, 'ann', id, new Device(), { message_id: message_id + 4096 * 1024 })).opened, { reset: true, has_more: false })
})

t.test('a stop cuts the reply at once, for everybody, and stops the bridge', async (t) => {
  const { edge, bridge, id, device } = await newChat(t, postgres)
  const { turn_id } = await send(edge, 'ann', id, 'go')
  const run = await bridge.run()
  run.say('one two')
  await device.until(() => device.text.get(turn_id) === 'one two')
  await edge.runtime.service.stop('ann', { type: 'turn.stop', turn_id })
  run.say(' three')
  await device.until(() => device.ends.has(turn_id))
  t.match(device.ends.get(turn_id), { type: 'turn.finished', reason: 'stopped', end: 7 })
  t.equal(await run.finish(), 'confirmed', 'its end is stored, so that the job can go')
  t.ok(bridge.aborted.includes(turn_id))
  t.match(await edge.runtime.service.stop('ann', { type: 'turn.stop', turn_id }), { type: 'turn.stopped', turn_id }, 'again')
  const { messages } = await edge.runtime.service.history('ann', { type: 'history.get', conversation_id: id })
  t.match(messages[1], { content: 'one two', reason: 'stopped' })
})

t.test('messages sent meanwhile wait in order, each below the reply before', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres)
  const edge = await startOne()
  const bridge = startBridge()
  const id = await create(edge)
  const sent = []
  for (let n = 0; n < 5; n += 1) sent.push(await send(edge, 'ann', id, `message ${n}`))
  t.same(sent.map(({ state }) => state), ['queued', 'waiting', 'waiting', 'waiting', 'waiting'])
  for (let n = 1; n < 5; n += 1) t.equal(sent[n]?.parent_id, sent[n - 1]?.reply_message_id)
  t.equal(await code(send(edge, 'ann', id, 'too many')), 'busy')
  for (let n = 0; n < 5; n += 1) {
    const run = await bridge.run()
    t.equal(run.job.turnId, sent[n]?.turn_id)
    t.equal(run.granted.messages.length, 2 * n + 1, 'with all before it as context')
    run.say(`reply ${n}`)
    await run.finish()
  }
})

t.test('an edit and a regenerate branch off, and stop what runs', async (t) => {
  const { edge: startOne, bridge: startBridge } = await newWorld(t, postgres)
  const edge = await startOne()
  const bridge = startBridge()
  const { service } = edge.runtime
  const id = await create(edge)
  const device = new Device()
  await open(edge, 'ann', id, device)
  const first = await send(edge, 'ann', id, 'frist')
  const run = await bridge.run()
  run.say('What?')
  await device.until(() => device.text.get(first.turn_id) === 'What?')
  const edited = await service.edit('ann', { type: 'message.edit', conversation_id: id, message_id: first.message_id, client_message_id: 'e', text: 'first' })
  t.equal(edited.parent_id, null)
  t.not(edited.message_id, first.message_id)
  await device.until(() => device.ends.has(first.turn_id))
  t.match(device.ends.get(first.turn_id), { reason: 'stopped', end: 5 })
  const second = await bridge.run()
  t.match(second.granted.messages, [{ content: 'first' }])
  second.say('Hello')
  await second.finish()
  const again = await service.regenerate('ann', { type: 'turn.regenerate', conversation_id: id, message_id: edited.reply_message_id, client_message_id: 'r' })
  t.equal(again.message_id, edited.message_id)
  const third = await bridge.run()
  t.match(third.granted.messages, [{ content: 'first' }])
  third.say('Hi')
  await third.finish()
  const { messages } = await service.history('ann', { type: 'history.get', conversation_id: id })
  t.same(messages.map(({ role, content, parent_id }) => [role, content, parent_id]), [
    ['user', 'frist', null],
    ['assistant', 'What?', first.message_id],
    ['user', 'first', null],
    ['assistant', 'Hello', edited.message_id],
    ['assistant', 'Hi', edited.message_id],
  ])
  t.equal(await code(service.edit('ann', { type: 'message.edit', conversation_id: id, message_id: edited.reply_message_id, client_message_id: 'x', text: 'y' })), 'not_editable')
})

t.test('concurrent commands for a conversation that sleeps share one activation', async (t) => {
  const { edge: startOne } = await newWorld(t, postgres)
  const edge = await startOne()
  const id = await create(edge)
  const accepted = await Promise.all(Array.from({ length: 5 }, (_, n) => send(edge, 'ann', id, `m${n}`)))
  t.equal(edge.runtime.counts().actors, 1)
  t.equal(new Set(accepted.map(({ message_id }) => message_id)).size, 5)
})
