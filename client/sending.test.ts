import fc from 'fast-check'
import t from 'tap'
import { ChatError } from '../protocol/errors.ts'
import { limits } from '../protocol/websocket/limits.ts'
import { subprotocols } from '../protocol/websocket/subprotocols.ts'
import { clientOf, edgeOf, error, read, talk, until } from './testing/talk.ts'

for (const subprotocol of subprotocols) {
  t.test(`a message is shown at once, accepted, answered and stored, in ${subprotocol}`, async (t) => {
    const { edge, client, fake, conversation } = await talk(t, { subprotocol })
    t.equal([...edge.connections][0]?.subprotocol, subprotocol)
    t.equal(client.state, 'open')
    t.match(client, { welcome: { user_id: 'user', node_id: 'fake' }, load: { level: 'normal' } })
    const turn = conversation.send('What is light? 🦊', { params: { temperature: 0.5 } })
    t.match(conversation.snapshot().outbox, [{ text: 'What is light? 🦊', state: 'pending', kind: 'send' }])
    const accepted = await turn.accepted
    t.match(edge.commands.at(-1), { type: 'message.send', text: 'What is light? 🦊', params: { temperature: 0.5 } })
    t.strictSame(conversation.snapshot().outbox, [])
    t.match(conversation.snapshot().messages, [{ id: accepted.message_id, role: 'user', text: 'What is light? 🦊', clientMessageId: turn.clientMessageId }])
    const text = read(turn)
    fake.start()
    for (const piece of ['Light', ' is a wave ', '🦊', ' and a particle.']) fake.say(piece)
    const shown = await until(conversation, ({ turns }) => turns[0]?.text.endsWith('particle.') === true)
    t.match(shown.turns, [{ state: 'running', attempt: 1, model: 'fake', turnId: accepted.turn_id }])
    fake.finish()
    t.match(await turn.finished, { id: accepted.reply_message_id, parentId: accepted.message_id, role: 'assistant', text: 'Light is a wave 🦊 and a particle.', reason: 'stop', model: 'fake', details: { usage: { prompt_tokens: 3 }, costUsd: 0.001 } })
    t.equal(await text, 'Light is a wave 🦊 and a particle.')
    t.strictSame(conversation.snapshot().turns, [])
    t.equal(conversation.snapshot().messages.length, 2)
  })
}

t.test('whichever frame the wire is cut after, the message is sent once and the reply read whole', async (t) => {
  const edge = await edgeOf(t)
  const reply = ['One', ' two', ' 🦊', ' three', ' four.']
  for (let frames = 1; frames <= 16; frames++) {
    const client = clientOf(t, edge)
    const fake = edge.conversation()
    const conversation = client.openConversation(fake.id)
    edge.cutAfterFrames = frames
    const turn = conversation.send('Count.')
    const text = read(turn)
    await turn.accepted
    fake.start()
    for (const piece of reply) {
      fake.say(piece)
      // Wait for the piece to be seen now and then, so that the cut falls between frames read and unread.
      if (frames % 2 === 0) await until(conversation, ({ turns }) => turns[0]?.text === fake.unfinished[0]?.text)
    }
    fake.finish()
    t.equal(await text, reply.join(''), `cut after ${frames} frames`)
    t.equal((await turn.finished).text, reply.join(''))
    t.equal(fake.turns.length, 1)
    t.match(conversation.snapshot(), { turns: [], outbox: [] })
    t.equal(conversation.snapshot().messages.length, 2)
    client.close()
  }
})

t.test('through any mix of cuts, drains, lost answers and refusals every message is accepted once, in order, and its reply read whole', async (t) => {
  const faults = fc.array(fc.constantFrom('none', 'none', 'cut', 'cut later', 'drain', 'swallow', 'ignore and cut', 'refuse', 'move') as fc.Arbitrary<string>, { minLength: 6, maxLength: 30 })
  const edge = await edgeOf(t)
  await fc.assert(
    fc.asyncProperty(faults, fc.array(fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 8 }), { maxLength: 6 }), { minLength: 1, maxLength: 4 }), fc.constantFrom(...subprotocols), async (planned, replies, subprotocol) => {
      const left = [...planned]
      let refusals = 0
      const client = clientOf(t, edge, { subprotocol })
      const fake = edge.conversation()
      const happen = (): void => {
        const fault = left.shift()
        if (fault === 'cut') edge.cut()
        if (fault === 'cut later') edge.cutAfterFrames = 3
        if (fault === 'drain') edge.broadcast({ type: 'server.draining', reconnect_after_ms: 0 })
        if (fault === 'move') for (const connection of edge.connections) if (connection.open.delete(fake.id)) connection.send({ type: 'conversation.closed', conversation_id: fake.id })
      }
      edge.verdict = (command) => {
        if (command.type !== 'message.send') return 'handle'
        const fault = left.shift()
        // More refusals in a row than are retried would rightly fail the message.
        refusals += fault === 'refuse' ? 1 : 0
        return fault === 'swallow' ? 'swallow' : fault === 'ignore and cut' ? 'cut' : fault === 'refuse' && refusals <= 4 ? error('overloaded', { retry_after_ms: 0 }) : 'handle'
      }
      const conversation = client.openConversation(fake.id)
      const turns = replies.map((_, index) => conversation.send(`question ${index}`))
      const texts = turns.map(read)
      for (const [index, reply] of replies.entries()) {
        await turns[index]?.accepted
        fake.start()
        for (const piece of reply) {
          happen()
          fake.say(piece)
        }
        fake.finish()
      }
      t.strictSame(await Promise.all(texts), replies.map((reply) => reply.join('')))
      t.strictSame(fake.messages.filter(({ role }) => role === 'user').map(({ content }) => content), replies.map((_, index) => `question ${index}`))
      await until(conversation, ({ status, turns, messages }) => status === 'open' && turns.length === 0 && messages.length === fake.messages.length)
      t.strictSame(conversation.snapshot().messages.map(({ id, text }) => ({ id, text })), fake.messages.map(({ message_id, content }) => ({ id: message_id, text: content })))
      client.close()
      edge.cutAfterFrames = Infinity
    }),
    { numRuns: 60 },
  )
})

for (const verdict of ['swallow', 'ignore', 'cut'] as const) {
  t.test(`a send of which the answer is lost (${verdict}) is sent again under its key, and begins one turn`, async (t) => {
    const { edge, fake, conversation } = await talk(t)
    let faults = 3
    edge.verdict = (command) => (command.type === 'message.send' && faults-- > 0 ? verdict : 'handle')
    const turn = conversation.send('Once, please.')
    if (verdict === 'ignore') {
      for (let seen = 1; seen <= 3; seen++) {
        await edge.untilCommand('message.send', seen)
        edge.cut()
      }
    }
    const accepted = await turn.accepted
    t.equal(accepted.duplicate, verdict === 'swallow')
    t.equal(fake.turns.length, 1)
    t.equal(new Set(edge.commands.flatMap((command) => (command.type === 'message.send' ? [command.client_message_id] : []))).size, 1)
    fake.start()
    fake.say('Yes.')
    fake.finish()
    t.equal((await turn.finished).text, 'Yes.')
    t.equal(conversation.snapshot().messages.length, 2)
  })
}

t.test('messages are accepted in the order in which they were sent, though the first is refused for a while', async (t) => {
  const { edge, fake, conversation } = await talk(t)
  let refusals = 2
  edge.verdict = (command) => (command.type === 'message.send' && command.text === 'first' && refusals-- > 0 ? error('overloaded', { retry_after_ms: 1 }) : 'handle')
  const turns = ['first', 'second', 'third'].map((text) => conversation.send(text))
  await Promise.all(turns.map((turn) => turn.accepted))
  t.strictSame(fake.messages.map(({ content }) => content), ['first', 'second', 'third'])
  t.match(conversation.snapshot().turns, [{ state: 'queued' }, { state: 'waiting' }, { state: 'waiting' }])
  for (const text of ['one', 'two', 'three']) {
    fake.start()
    fake.say(text)
    fake.finish()
  }
  t.strictSame(await Promise.all(turns.map(async (turn) => (await turn.finished).text)), ['one', 'two', 'three'])
})

t.test('a message that is refused for now says why and until when it waits, and is sent again by itself', async (t) => {
  const { edge, conversation, fake } = await talk(t)
  let refusals = 1
  edge.verdict = (command) => (command.type === 'message.send' && refusals-- > 0 ? error('rate_limited', { retry_after_ms: 50 }) : 'handle')
  const before = Date.now()
  const turn = conversation.send('Hello?')
  const held = await until(conversation, ({ outbox }) => outbox.some(({ heldUntil }) => heldUntil !== null))
  t.match(held.outbox, [{ state: 'pending', error: { code: 'rate_limited' } }])
  t.ok(Date.parse(held.outbox[0]?.heldUntil ?? '') >= before + 50)
  await turn.accepted
  t.same(conversation.snapshot().outbox, [])
  t.equal(fake.messages.length, 1)
})

t.test('what lasts as long as replies do is not asked for again and again', async (t) => {
  const { edge, conversation } = await talk(t)
  edge.verdict = (command) => (command.type === 'message.send' ? error('too_many_turns', { retry_after_ms: 1 }) : 'handle')
  await t.rejects(conversation.send('Now!').accepted, { code: 'too_many_turns' })
  t.equal(edge.commands.filter(({ type }) => type === 'message.send').length, 1)
})

t.test('a refusal that only the user can mend is shown, and the message can be sent again or discarded', async (t) => {
  const { edge, fake, conversation } = await talk(t)
  edge.verdict = (command) => (command.type === 'message.send' ? error('busy') : 'handle')
  const refused = conversation.send('Now!')
  await t.rejects(refused.accepted, { code: 'busy' })
  await t.rejects(refused.finished, { code: 'busy' })
  await t.rejects(read(refused), { code: 'busy' })
  t.match(conversation.snapshot().outbox, [{ state: 'failed', error: { code: 'busy' }, text: 'Now!' }])
  t.equal(edge.commands.filter(({ type }) => type === 'message.send').length, 1, 'busy is not retried by itself')
  edge.verdict = () => 'handle'
  const again = conversation.retry(refused.clientMessageId)
  t.match(conversation.snapshot().outbox, [{ state: 'pending' }])
  await again.accepted
  t.equal(fake.messages[0]?.client_message_id, refused.clientMessageId)
  edge.verdict = () => error('idempotency_conflict')
  const wrong = conversation.send('Again.')
  await t.rejects(wrong.accepted, { code: 'idempotency_conflict' })
  conversation.discard(wrong.clientMessageId)
  t.strictSame(conversation.snapshot().outbox, [])
  t.throws(() => conversation.retry(wrong.clientMessageId), { code: 'message_not_found' })
  t.throws(() => conversation.discard('nonsense'), { code: 'message_not_found' })
})

t.test('a command that is refused for now is sent again a few times, then its error is told', async (t) => {
  const { edge, conversation } = await talk(t)
  edge.verdict = (command) => (command.type === 'message.send' ? error('unavailable', { retry_after_ms: 0 }) : 'handle')
  await t.rejects(conversation.send('Hello?').accepted, { code: 'unavailable' })
  t.equal(edge.commands.filter(({ type }) => type === 'message.send').length, 5)
})

t.test('what was refused at last and had been taken all the same leaves the outbox, and its key may be used again', async (t) => {
  const { edge, conversation, fake } = await talk(t)
  edge.verdict = (command) => (command.type === 'message.send' ? error('unavailable', { retry_after_ms: 0 }) : 'handle')
  const send = { type: 'message.send' as const, conversation_id: conversation.id, client_message_id: 'k', text: 'Hello?' }
  await t.rejects(conversation.send(send.text, { clientMessageId: 'k' }).accepted, { code: 'unavailable' })
  t.match(conversation.snapshot().outbox, [{ clientMessageId: 'k', state: 'failed' }])
  const first = fake.begin(send)
  await until(conversation, ({ outbox }) => outbox.length === 0)
  edge.verdict = () => 'handle'
  t.match(await conversation.send(send.text, { clientMessageId: 'k' }).accepted, { turn_id: first.turn_id, duplicate: true })
})

t.test('text that cannot be a message is refused on the spot', async (t) => {
  const { edge, conversation } = await talk(t)
  t.throws(() => conversation.send(''), { code: 'text_empty' })
  t.throws(() => conversation.send('a\ud800'), { code: 'text_not_well_formed' })
  t.throws(() => conversation.send('a'.repeat(limits.textBytes + 1)), { code: 'text_too_long' })
  t.strictSame(conversation.snapshot().outbox, [])
  t.equal(edge.commands.filter(({ type }) => type === 'message.send').length, 0)
})

t.test('the outbox is bounded', async (t) => {
  const { edge, conversation } = await talk(t)
  edge.verdict = () => 'ignore'
  for (let i = 0; i < 32; i++) conversation.send(`message ${i}`)
  t.throws(() => conversation.send('one more'), { code: 'too_many_commands' })
})

t.test('a turn that failed tells why, and keeps what there was', async (t) => {
  const { fake, conversation } = await talk(t)
  const turn = conversation.send('Hello')
  const pieces: string[] = []
  const reading = (async () => {
    for await (const piece of turn) pieces.push(piece)
  })()
  await turn.accepted
  fake.start()
  fake.say('Half of')
  fake.fail({ code: 'a_code_of_later', message: 'Something new.', retryable: true })
  await t.rejects(turn.finished, { code: 'a_code_of_later', message: 'Something new.' })
  await t.rejects(reading)
  t.equal(pieces.join(''), 'Half of')
  t.match(conversation.snapshot().messages.at(-1), { text: 'Half of', reason: 'failed', error: { code: 'a_code_of_later' } })
  const failure = (await turn.finished.catch((reason: unknown) => reason)) as ChatError
  t.match(failure.toPublic(), { code: 'a_code_of_later', retryable: true }, 'an unknown code keeps what the server said of it')
})
