import t from 'tap'
import { ClientClosedError, type ConversationState } from './client.ts'
import { clientOf, edgeOf, error, talk, until } from './testing/talk.ts'

t.test('what another device says is seen here', async (t) => {
  const { edge, fake, conversation } = await talk(t)
  const other = clientOf(t, edge).openConversation(fake.id)
  await other.opened
  const added: string[] = []
  conversation.on('message.added', ({ message }) => added.push(message.content))
  const turn = other.send('From elsewhere')
  await turn.accepted
  fake.start()
  fake.say('Hello you two.')
  fake.finish()
  await turn.finished
  await until(conversation, ({ messages }) => messages.length === 2)
  t.strictSame(added, ['From elsewhere'])
  const shown = ({ messages }: ConversationState) => messages.map(({ id, text, parentId }) => ({ id, text, parentId }))
  t.strictSame(shown(conversation.snapshot()), shown(other.snapshot()))
})

t.test('editing and regenerating make branches, and stop ends a turn for everyone', async (t) => {
  const edge = await edgeOf(t)
  const fake = edge.conversation()
  fake.remember('Question', 'Answer')
  const [question, answer] = fake.messages
  if (question === undefined || answer === undefined) throw new Error('nothing remembered')
  const conversation = clientOf(t, edge).openConversation(fake.id)
  await conversation.opened
  const regenerated = conversation.regenerate(answer.message_id)
  t.match(conversation.snapshot().outbox, [{ kind: 'regenerate', parentId: question.message_id }])
  const { message_id } = await regenerated.accepted
  t.equal(message_id, question.message_id)
  fake.start()
  fake.say('Another')
  await regenerated.stop()
  t.match(await regenerated.finished, { text: 'Another', reason: 'stopped', parentId: question.message_id })
  const edited = conversation.edit(question.message_id, 'Question, said better')
  t.match(conversation.snapshot().outbox, [{ kind: 'edit', parentId: null, text: 'Question, said better' }])
  await edited.accepted
  fake.start()
  fake.finish()
  t.equal((await edited.finished).text, '')
  const roots = conversation.snapshot().messages.filter(({ parentId }) => parentId === null)
  t.strictSame(roots.map(({ text }) => text), ['Question', 'Question, said better'])
  t.equal(conversation.snapshot().messages.filter(({ parentId }) => parentId === question.message_id).length, 2)
  await conversation.stop()
  await conversation.stop(regenerated.turnId)
  t.pass('stopping what has ended is no error')
})

t.test('older messages are loaded page by page', async (t) => {
  const edge = await edgeOf(t)
  const fake = edge.conversation()
  fake.page = 4
  for (let i = 0; i < 5; i++) fake.remember(`q${i}`, `a${i}`)
  const conversation = clientOf(t, edge).openConversation(fake.id)
  await conversation.opened
  t.strictSame(conversation.snapshot().messages.map(({ text }) => text), ['q3', 'a3', 'q4', 'a4'])
  t.equal(conversation.snapshot().hasOlder, true)
  t.equal(await conversation.loadOlder(), true)
  const [one, two] = await Promise.all([conversation.loadOlder(), conversation.loadOlder()])
  t.strictSame([one, two], [false, false], 'asked for together, loaded once')
  t.equal(edge.commands.filter(({ type }) => type === 'history.get').length, 2)
  t.strictSame(conversation.snapshot().messages.map(({ text }) => text), ['q0', 'a0', 'q1', 'a1', 'q2', 'a2', 'q3', 'a3', 'q4', 'a4'])
  t.equal(await conversation.loadOlder(), false)
})

t.test('a conversation that is not there fails for good, and others go on', async (t) => {
  const { client, conversation } = await talk(t)
  const missing = client.openConversation(123)
  const early = missing.send('Anyone?')
  await t.rejects(missing.opened, { code: 'conversation_not_found' })
  await t.rejects(early.accepted, { code: 'conversation_not_found' })
  t.match(missing.snapshot(), { status: 'failed', error: { code: 'conversation_not_found' } })
  await t.rejects(missing.send('Hello?').accepted, { code: 'conversation_not_found' })
  t.not(client.openConversation(123), missing, 'opened again, it is tried again')
  t.equal(conversation.snapshot().status, 'open')
})

t.test('a conversation that cannot be opened for now is tried again, and one that moved is opened again', async (t) => {
  const edge = await edgeOf(t)
  const fake = edge.conversation()
  let refusals = 7
  edge.verdict = (command) => (command.type === 'conversation.open' && refusals-- > 0 ? error('moved', { retry_after_ms: 0 }) : 'handle')
  const conversation = clientOf(t, edge).openConversation(fake.id)
  await conversation.opened
  const opens = edge.commands.filter(({ type }) => type === 'conversation.open').length
  t.equal(opens, 8)
  edge.broadcast({ type: 'conversation.closed', conversation_id: fake.id })
  await edge.untilCommand('conversation.open', opens + 1)
})

t.test('conversations are created once, listed, and closed', async (t) => {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge)
  const conversation = await client.createConversation({ title: 'T', system: 'Be brief.' })
  await conversation.opened
  t.match(edge.commands.find(({ type }) => type === 'conversation.create'), { title: 'T', system: 'Be brief.', client_conversation_id: /^[0-9a-f]{32}$/ })
  t.equal(client.openConversation(conversation.id), conversation)
  t.match(await client.listConversations({ limit: 5 }), { conversations: [{ id: conversation.id, title: null, model: null }], hasMore: false })
  const events = conversation.events()
  const send = conversation.send('never answered')
  edge.verdict = () => 'ignore'
  conversation.close()
  conversation.close()
  await edge.untilCommand('conversation.close')
  t.equal(conversation.snapshot().status, 'closed')
  const seen: string[] = []
  for await (const { type } of events) seen.push(type)
  t.strictSame(seen, [], 'the stream ends with the conversation')
  await t.rejects(send.finished, ClientClosedError)
  await t.rejects(conversation.send('too late').accepted, ClientClosedError)
  t.not(client.openConversation(conversation.id), conversation)
})

t.test('a conversation is renamed for every device, and deleted for every device, whoever does it', async (t) => {
  const edge = await edgeOf(t)
  const here = clientOf(t, edge)
  const conversation = await here.createConversation()
  const there = clientOf(t, edge).openConversation(conversation.id)
  await Promise.all([conversation.opened, there.opened])
  const changed = new Promise((resolve) => there.on('conversation.updated', ({ title }) => resolve(title)))
  await conversation.rename('Another')
  t.equal(await changed, 'Another')
  t.equal(conversation.snapshot().title, 'Another')
  const events = there.events()
  const turn = there.send('Hello')
  await turn.accepted
  // The answer is lost, and the command sent again.
  edge.verdict = (command) => (command.type === 'conversation.delete' && edge.conversations.has(conversation.id) ? 'swallow' : 'handle')
  await conversation.delete()
  const seen: string[] = []
  for await (const { type } of events) seen.push(type)
  t.strictSame(seen.slice(-2), ['turn.finished', 'conversation.deleted'])
  t.match(await turn.finished, { reason: 'stopped' })
  for (const each of [conversation, there]) {
    if (each.snapshot().status !== 'failed') await new Promise<void>((resolve) => each.subscribe(() => each.snapshot().status === 'failed' && resolve()))
    t.match(each.snapshot(), { status: 'failed', error: { code: 'conversation_not_found' } })
  }
  t.same(there.snapshot().messages, [])
  await t.rejects(there.send('Anyone?').accepted, { code: 'conversation_not_found' })
  await here.deleteConversation(conversation.id)
  await t.rejects(here.renameConversation(conversation.id, 'Third'), { code: 'conversation_not_found' })
})
