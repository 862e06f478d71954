import fc from 'fast-check'
import t, { type Test } from 'tap'
import { WebSocket } from 'undici'
import { ChatError } from '../protocol/errors.ts'
import { newTurnId } from '../protocol/ids.ts'
import { limits } from '../protocol/websocket/limits.ts'
import { subprotocols } from '../protocol/websocket/subprotocols.ts'
import { ClientClosedError, createClient, type ChatClient, type ClientOptions, type Conversation, type ConversationState, type SentTurn } from './client.ts'
import { Emitter } from './emitter.ts'
import { FakeEdge } from './testing/fake-edge.ts'
import type { FakeConversation } from './testing/fake-conversation.ts'

const quick = { baseMs: 1, maxMs: 5 }

async function edgeOf(t: Test): Promise<FakeEdge> {
  const edge = await new FakeEdge().start()
  t.teardown(() => edge.stop())
  return edge
}

function clientOf(t: Test, edge: FakeEdge, options: Partial<ClientOptions> = {}): ChatClient {
  const client = createClient({ url: edge.url, userId: 'user', WebSocket, backoff: quick, ...options })
  t.teardown(() => client.close())
  return client
}

/** An edge, a client, and a conversation open on both. */
async function talk(t: Test, options: Partial<ClientOptions> = {}): Promise<{ edge: FakeEdge; client: ChatClient; fake: FakeConversation; conversation: Conversation }> {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge, options)
  const fake = edge.conversation()
  const conversation = client.openConversation(fake.id)
  await conversation.opened
  return { edge, client, fake, conversation }
}

function until(conversation: Conversation, isMet: (state: ConversationState) => boolean): Promise<ConversationState> {
  return new Promise((resolve) => {
    const look = (): void => {
      if (!isMet(conversation.snapshot())) return
      stop()
      resolve(conversation.snapshot())
    }
    const stop = conversation.subscribe(look)
    look()
  })
}

const untilState = (client: ChatClient, state: ChatClient['state']): Promise<void> =>
  client.state === state ? Promise.resolve() : new Promise((resolve) => {
    const stop = client.on('state', (now) => {
      if (now !== state) return
      stop()
      resolve()
    })
  })

async function read(turn: SentTurn): Promise<string> {
  let text = ''
  for await (const piece of turn) text += piece
  return text
}

const error = (code: ChatError['code'], more: object = {}) => ({ type: 'error' as const, ...new ChatError(code).toPublic(), ...more })

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

t.test('a server that drains is left for another without losing or showing anything', async (t) => {
  const { edge, client, fake, conversation } = await talk(t)
  const states: string[] = []
  client.on('state', (state) => states.push(state))
  const turn = conversation.send('Hello')
  const text = read(turn)
  await turn.accepted
  fake.start()
  fake.say('before ')
  let most = 0
  edge.verdict = (command) => {
    if (command.type === 'hello') most = Math.max(most, edge.connections.size)
    return 'handle'
  }
  edge.broadcast({ type: 'server.draining', reconnect_after_ms: 1 })
  fake.say('while ')
  await edge.untilCommand('conversation.open', 2)
  fake.say('after')
  fake.finish()
  t.equal(await text, 'before while after')
  t.equal(most, 2, 'the new connection is made before the old one is left')
  await edge.until(() => edge.connections.size === 1)
  t.strictSame(states, [], 'the client never stopped being open')
})

t.test('a connection that is lost while its successor is dialled is no more than lost', async (t) => {
  const { edge, client, conversation } = await talk(t)
  edge.verdict = (command) => (command.type === 'hello' ? 'ignore' : 'handle')
  edge.broadcast({ type: 'server.draining', reconnect_after_ms: 0 })
  await edge.untilCommand('hello', 2)
  edge.verdict = () => 'handle'
  edge.cut()
  await untilState(client, 'reconnecting')
  await untilState(client, 'open')
  await until(conversation, ({ status }) => status === 'open')
})

t.test('a client comes back after codes that allow it, and not after those that do not', async (t) => {
  const edge = await edgeOf(t)
  for (const code of [1001, 1012, 1013, 4429, 4430]) {
    const client = clientOf(t, edge)
    await client.connect()
    for (const connection of [...edge.connections]) connection.close(code)
    await untilState(client, 'reconnecting')
    await untilState(client, 'open')
    client.close()
    t.pass(`back after ${code}`)
  }
  for (const [code, expected] of [[1000, 'unavailable'], [1009, 'frame_too_big'], [4400, 'bad_frame'], [4401, 'unauthenticated'], [4403, 'forbidden'], [4408, 'hello_timeout']] as const) {
    const client = clientOf(t, edge, { token: 'fixed' })
    await client.connect()
    const pending = client.listConversations({ before: 1 })
    edge.verdict = () => 'ignore'
    for (const connection of [...edge.connections]) connection.close(code)
    await untilState(client, 'closed')
    t.match(client.error, { code: expected }, String(code))
    await t.rejects(pending.then(() => client.listConversations()), { code: expected })
    await t.rejects(client.connect(), { code: expected })
    edge.verdict = () => 'handle'
  }
})

t.test('a refused hello ends the client where credentials are at fault, and is tried again where the server is busy', async (t) => {
  const edge = await edgeOf(t)
  edge.verdict = () => error('forbidden')
  const refused = clientOf(t, edge)
  await t.rejects(refused.connect(), { code: 'forbidden' })
  t.equal(refused.state, 'closed')
  let refusals = 2
  edge.verdict = () => (refusals-- > 0 ? error('unavailable', { retry_after_ms: 1 }) : 'handle')
  const patient = clientOf(t, edge)
  const errors: string[] = []
  patient.on('error', ({ code }) => errors.push(code))
  await patient.connect()
  t.strictSame(errors, ['unavailable', 'unavailable'])
})

t.test('tokens are fetched for each connection, once more when they are refused, and before they expire', async (t) => {
  const edge = await edgeOf(t)
  const tokens = ['old', 'new', 'newer', 'newest', 'last']
  const client = clientOf(t, edge, { token: () => Promise.resolve(tokens.shift() ?? 'none') })
  edge.verdict = (command) => (command.type === 'hello' && command.token === 'old' ? error('unauthenticated') : 'handle')
  await client.connect()
  t.match(edge.commands.at(-1), { type: 'hello', token: 'new' })
  edge.broadcast({ type: 'auth.expiring', expires_at: new Date().toISOString() })
  await edge.untilCommand('auth.refresh')
  t.match(edge.commands.at(-1), { token: 'newer' })
  edge.verdict = () => error('unauthenticated')
  edge.cut()
  await untilState(client, 'closed')
  t.match(edge.commands.slice(-2), [{ token: 'newest' }, { token: 'last' }])
  t.match(client.error, { code: 'unauthenticated' })
})

t.test('a ticket is fetched for each connection, and before it expires another link takes over without a gap', async (t) => {
  const edge = await edgeOf(t)
  const tickets = ['one', 'two', 'three', 'four', 'five']
  const client = clientOf(t, edge, { ticket: () => Promise.resolve(tickets.shift() ?? 'none') })
  const states: string[] = []
  client.on('state', (state) => states.push(state))
  await client.connect()
  t.notOk('token' in (edge.commands.at(-1) as object))
  const renewed = new Promise<void>((resolve) => client.on('welcome', () => resolve()))
  edge.broadcast({ type: 'auth.expiring', expires_at: new Date().toISOString() })
  await renewed
  t.strictSame(edge.queries, ['ticket=one', 'ticket=two'])
  t.strictSame(states, ['open'])
  let refusals = 1
  edge.verdict = () => (refusals-- > 0 ? error('unauthenticated') : 'handle')
  edge.cut()
  await untilState(client, 'reconnecting')
  await untilState(client, 'open')
  t.equal(edge.queries.at(-1), 'ticket=four', 'once more after a refusal')
})

t.test('a token that cannot be had is asked for again', async (t) => {
  const edge = await edgeOf(t)
  let failures = 2
  const client = clientOf(t, edge, {
    token: () => {
      if (failures-- > 0) throw new Error('the network is away')
      return 'token'
    },
  })
  const errors: ChatError[] = []
  client.on('error', (reason) => errors.push(reason))
  await client.connect()
  t.match(errors, [{ code: 'unauthenticated' }, { code: 'unauthenticated' }])
})

t.test('a connection that falls silent is given up, and one that answers pings is kept', async (t) => {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge, { pingIntervalMs: 20, silenceMs: 60 })
  await client.connect()
  await edge.untilCommand('ping', 5)
  t.equal(edge.dialled, 1)
  edge.verdict = (command) => (command.type === 'ping' ? 'ignore' : 'handle')
  await untilState(client, 'reconnecting')
  edge.verdict = () => 'handle'
  await untilState(client, 'open')
  await edge.untilCommand('ping', 10)
  t.ok(edge.dialled >= 2)
})

t.test('a server that cannot be reached is dialled again, at once when the page wakes', async (t) => {
  const edge = await edgeOf(t)
  const client = clientOf(t, edge, { backoff: { baseMs: 10_000_000, maxMs: 10_000_000 } })
  await client.connect()
  edge.cut()
  await untilState(client, 'reconnecting')
  client.wake()
  client.wake()
  await untilState(client, 'open')
  t.equal(edge.dialled, 2)
  client.wake()
  t.equal(edge.dialled, 2, 'nothing to wake')
})

t.test('an address that is none is told at once', async (t) => {
  const client = createClient({ url: 'not an address', WebSocket })
  await t.rejects(client.connect(), { code: 'invalid_field' })
  t.equal(client.state, 'closed')
})

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

t.test('events can be read as a stream, which is bounded', async (t) => {
  const { fake, conversation } = await talk(t)
  const stream = conversation.events()
  const left = conversation.events()
  await left.return?.()
  const turn = conversation.send('Hello')
  await turn.accepted
  fake.start()
  fake.say('Hi')
  const types: string[] = []
  for await (const event of stream) {
    types.push(event.type)
    if (event.type === 'turn.delta') break
  }
  t.strictSame(types, ['message.added', 'turn.queued', 'turn.started', 'turn.delta'])
  const slow = conversation.events()
  for (let i = 0; i < 1100; i++) fake.say('.')
  fake.finish()
  await turn.finished
  let readable = 0
  await t.rejects(async () => {
    for await (const event of slow) readable += event.type === 'turn.delta' ? 1 : 0
  }, { code: 'too_slow' })
  t.equal(readable, 1024)
  t.strictSame(await left.next(), { done: true, value: undefined })
})

t.test('closing fails whatever is unanswered, and is final', async (t) => {
  const { edge, client, conversation } = await talk(t)
  edge.verdict = () => 'ignore'
  const turn = conversation.send('Hello')
  const list = client.listConversations()
  const stop = conversation.stop(newTurnId(1))
  const unanswered = Promise.allSettled([turn.accepted, turn.finished, list, stop, read(turn)])
  client.close()
  client.close()
  for (const outcome of await unanswered) t.ok(outcome.status === 'rejected' && outcome.reason instanceof ClientClosedError)
  t.equal(client.state, 'closed')
  t.equal(client.error, null)
  t.equal(conversation.snapshot().status, 'closed')
  await t.rejects(client.connect(), ClientClosedError)
  await t.rejects(client.openConversation(conversation.id).opened, ClientClosedError)
  await edge.until(() => edge.connections.size === 0)
})

t.test('what a later server adds is ignored', async (t) => {
  const { edge, client, fake, conversation } = await talk(t)
  const [connection] = edge.connections
  connection?.sendRaw('{"type":"turn.juggled","turn_id":"x"}')
  connection?.sendRaw('{"type":"turn.delta","turn_id":"of nobody","attempt":1,"offset":9,"end":10,"text":"x","color":"red"}')
  connection?.sendRaw('{"type":"server.load","level":"busy","queue_depth":9,"eta_ms":5,"advice":"async","mood":"fine"}')
  await new Promise<void>((resolve) => {
    client.on('load', ({ level }) => level === 'busy' && resolve())
  })
  await conversation.send('Still there?').accepted
  t.equal(fake.turns.length, 1)
  t.equal(edge.dialled, 1)
})

t.test('while the server advises to come back later, text comes whole, on each connection', async (t) => {
  const { edge, client, conversation } = await talk(t)
  const paces = (): string[] => edge.commands.flatMap((command) => (command.type === 'pace.set' ? [command.pace] : []))
  edge.broadcast({ type: 'server.load', level: 'overloaded', queue_depth: 9, eta_ms: 30_000, advice: 'async' })
  await edge.untilCommand('pace.set')
  t.equal(client.pace, 'whole')
  edge.load = { level: 'overloaded', queue_depth: 9, eta_ms: 30_000, advice: 'async' }
  edge.cut()
  await edge.untilCommand('pace.set', 2)
  const since = edge.commands.findLastIndex(({ type }) => type === 'hello')
  await edge.until(() => edge.commands.slice(since).some(({ type }) => type === 'conversation.open'))
  t.same(edge.commands.slice(since, since + 3).map(({ type }) => type), ['hello', 'pace.set', 'conversation.open'])
  edge.broadcast({ type: 'server.load', level: 'normal', queue_depth: 0, eta_ms: 0, advice: 'stream' })
  await edge.untilCommand('pace.set', 3)
  t.same(paces(), ['whole', 'whole', 'live'])
  await conversation.send('Still there?').accepted

  const patient = createClient({ url: edge.url, WebSocket, pace: 'whole' })
  t.teardown(() => patient.close())
  await patient.connect()
  await edge.untilCommand('pace.set', 4)
  edge.broadcast({ type: 'server.load', level: 'busy', queue_depth: 3, eta_ms: 5_000, advice: 'stream' })
  await new Promise<void>((resolve) => {
    patient.on('load', ({ level }) => level === 'busy' && resolve())
  })
  t.same([paces().length, patient.pace], [4, 'whole'], 'who has chosen stays with it')
})

t.test('a server that speaks nonsense is left for good', async (t) => {
  const { edge, client } = await talk(t)
  ;[...edge.connections][0]?.sendRaw('nonsense')
  await untilState(client, 'closed')
  t.match(client.error, { code: 'bad_frame' })
})

t.test('a listener that throws keeps nobody else from hearing, and its error is reported', async (t) => {
  const emitter = new Emitter<{ news: string }>()
  const heard: string[] = []
  const reported: (() => void)[] = []
  emitter.on('news', () => {
    throw new Error('a fault of the page')
  })
  const stop = emitter.on('news', (news) => heard.push(news))
  const { queueMicrotask } = globalThis
  globalThis.queueMicrotask = (report) => reported.push(report)
  emitter.emit('news', 'one')
  stop()
  emitter.emit('news', 'two')
  globalThis.queueMicrotask = queueMicrotask
  t.strictSame(heard, ['one'])
  t.equal(reported.length, 2)
  for (const report of reported) t.throws(report, { message: 'a fault of the page' })
})

t.test('without a WebSocket anywhere the client says so', async (t) => {
  t.throws(() => createClient({ url: 'ws://127.0.0.1/ws' }), TypeError)
})
