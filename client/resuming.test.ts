import t from 'tap'
import { read, talk, until, untilState } from './testing/talk.ts'

t.test('a reply that begins anew drops what was shown, and stops a reader who had read of it', async (t) => {
  const { fake, conversation } = await talk(t)
  const turn = conversation.send('Hello')
  await turn.accepted
  fake.start()
  fake.say('First try')
  const reader = turn[Symbol.asyncIterator]()
  t.equal((await reader.next()).value, 'First try')
  fake.restart()
  fake.say('Second')
  await t.rejects(reader.next(), { code: 'reply_restarted' })
  fake.finish()
  t.equal((await turn.finished).text, 'Second')
  t.equal(await read(turn), 'Second', 'a new reader reads the reply that counts')
})

t.test('a gap in the text makes the client open the conversation again, from where it stands', async (t) => {
  const { edge, fake, conversation } = await talk(t)
  const turn = conversation.send('Hello')
  await turn.accepted
  fake.start()
  fake.say('abc')
  await until(conversation, ({ turns }) => turns[0]?.text === 'abc')
  const running = fake.unfinished[0]
  if (running === undefined) throw new Error('no turn')
  running.text += 'lost'
  fake.say('def')
  await until(conversation, ({ turns }) => turns[0]?.text === 'abclostdef')
  t.match(edge.commands.at(-1), { type: 'conversation.open', cursor: { turn_id: running.turnId, attempt: 1, offset: 3 } })
  running.text += ' at the end'
  fake.finish()
  t.equal((await turn.finished).text, 'abclostdef at the end', 'a gap at the end is noticed by it')
  t.equal(edge.dialled, 1, 'all on one connection')
})

t.test('where the cursor does not help, the copy is dropped', async (t) => {
  const { edge, fake, conversation } = await talk(t)
  await conversation.send('Hello').accepted
  fake.start()
  fake.say('abc')
  await until(conversation, ({ turns }) => turns[0]?.text === 'abc')
  edge.verdict = (command) => {
    if (command.type !== 'conversation.open' || command.cursor === undefined) return 'handle'
    const opened = fake.opened(command)
    return { ...opened, turns: opened.turns.map((turn) => ({ ...turn, offset: turn.offset + 1 })) }
  }
  fake.unfinished.forEach((turn) => (turn.text += 'lost'))
  fake.say('def')
  await until(conversation, ({ turns, desynced }) => !desynced && turns[0]?.text === 'abclostdef')
  t.match(edge.commands.at(-1), { type: 'conversation.open', cursor: undefined })
})

t.test('the reply of a turn that ended while the client was away is had, even beyond the page it returns to', async (t) => {
  const { edge, client, fake, conversation } = await talk(t)
  const turn = conversation.send('Hello')
  await turn.accepted
  fake.start()
  fake.say('Partly')
  await until(conversation, ({ turns }) => turns[0]?.text === 'Partly')
  edge.verdict = (command) => (command.type === 'hello' ? 'ignore' : 'handle')
  edge.cut()
  await untilState(client, 'reconnecting')
  fake.say(' and wholly')
  fake.finish()
  fake.page = 2
  for (let i = 0; i < 3; i++) fake.remember(`q${i}`, `a${i}`)
  edge.verdict = () => 'handle'
  edge.cut()
  t.equal((await turn.finished).text, 'Partly and wholly')
  t.match(edge.commands.at(-1), { type: 'history.get', limit: 1 })
  t.strictSame(conversation.snapshot().messages.map(({ text }) => text), ['q2', 'a2'])
  t.equal(conversation.snapshot().hasOlder, true)
})
