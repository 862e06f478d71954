import fc from 'fast-check'
import t from 'tap'
import type { Message } from '../protocol/websocket/fields.ts'
import type { ReplyOf, ServerEvent } from '../protocol/websocket/messages.ts'
import { ChatError } from '../protocol/errors.ts'
import { cursorOf, emptyConversation, heldMessages, type ConversationState } from './conversation-state.ts'
import { reduce, type ConversationMessage } from './conversation-reducer.ts'
import { discard, fail, put, retry } from './conversation-outbox.ts'

const conversationId = 1024
const now = '2026-11-24T12:00:00.000Z'

// A server's view of a conversation, as a list of moments: what it tells then, and what it holds afterwards. -----------

interface Moment {
  readonly tells: Extract<ServerEvent, ConversationMessage>
  readonly messages: readonly Message[]
  readonly turns: readonly HeldTurn[]
}
interface HeldTurn {
  readonly turnId: string
  readonly userMessageId: number
  readonly replyMessageId: number
  readonly attempt: number
  readonly text: string
}
interface Plan {
  /** Texts of the attempts; the last is the reply. */
  readonly attempts: readonly (readonly string[])[]
  readonly fails: boolean
  /** Its message is sent while the turn before runs. */
  readonly early: boolean
}

function story(plans: readonly Plan[]): Moment[] {
  const moments: Moment[] = []
  let messages: readonly Message[] = []
  let turns: readonly HeldTurn[] = []
  const tell = (tells: Moment['tells']): void => void moments.push({ tells, messages, turns })
  const said = new Set<number>()
  const ids = (index: number) => ({ turnId: `turn-${index}`, userMessageId: 2048 + index * 2, replyMessageId: 2049 + index * 2 })
  const say = (index: number): void => {
    if (said.has(index)) return
    said.add(index)
    const { turnId, userMessageId, replyMessageId } = ids(index)
    const message: Message = { message_id: userMessageId, role: 'user', content: `question ${index}`, parent_id: index === 0 ? null : userMessageId - 1, turn_id: turnId, client_message_id: `c${index}`, created_at: now }
    messages = [...messages, message]
    turns = [...turns, { turnId, userMessageId, replyMessageId, attempt: 1, text: '' }]
    tell({ type: 'message.added', conversation_id: conversationId, message })
    tell({ type: 'turn.queued', conversation_id: conversationId, turn_id: turnId, user_message_id: userMessageId, message_id: replyMessageId, position: turns.length > 1 ? null : 0, eta_ms: null })
  }
  for (const [index, plan] of plans.entries()) {
    say(index)
    const { turnId, userMessageId, replyMessageId } = ids(index)
    const change = (to: Partial<HeldTurn>): void => {
      turns = turns.map((turn) => (turn.turnId === turnId ? { ...turn, ...to } : turn))
    }
    let attempt = 0
    let text = ''
    for (const pieces of plan.attempts) {
      attempt += 1
      text = ''
      change({ attempt, text })
      tell({ type: 'turn.started', conversation_id: conversationId, turn_id: turnId, user_message_id: userMessageId, message_id: replyMessageId, attempt, model: 'm' })
      for (const piece of pieces) {
        const offset = text.length
        text += piece
        change({ text })
        tell({ type: 'turn.delta', turn_id: turnId, attempt, offset, end: text.length, text: piece })
      }
      if (plans[index + 1]?.early === true) say(index + 1)
    }
    turns = turns.filter((turn) => turn.turnId !== turnId)
    const failure = { code: 'engine_unavailable', message: 'No engine.', retryable: true }
    const reply: Message = { message_id: replyMessageId, role: 'assistant', content: text, parent_id: userMessageId, turn_id: turnId, created_at: now, model: 'm', attempt, ...(plan.fails ? { reason: 'failed', error: failure } : { reason: 'stop' }) }
    messages = [...messages, reply].sort((a, b) => a.message_id - b.message_id)
    if (plan.fails) tell({ type: 'turn.failed', turn_id: turnId, attempt, message_id: replyMessageId, end: text.length, error: failure })
    else tell({ type: 'turn.finished', turn_id: turnId, attempt, message_id: replyMessageId, reason: 'stop', end: text.length, usage: null, timing: { queue_ms: 0, ttft_ms: null, total_ms: 1 }, model: 'm', cached: false, cost_usd: null })
  }
  return moments
}

/** What a server answers to an open at this moment. `takenOver`: it has just taken over the turn that runs, and holds less of its text, or none. */
function open(at: Pick<Moment, 'messages' | 'turns'>, cursor: ReturnType<typeof cursorOf>, takenOver: number | null, page = Infinity): ReplyOf<'conversation.open'> {
  const cursorTurn = [...at.messages].find((message) => message.role === 'user' && message.turn_id === cursor?.turn_id)
  let start = cursor === undefined ? 0 : Math.min(cursor.message_id ?? Infinity, cursorTurn?.message_id ?? Infinity)
  for (const turn of at.turns) start = Math.min(start, turn.replyMessageId - 1)
  const beyond = at.messages.filter(({ message_id }) => cursor === undefined || message_id > start)
  const messages = beyond.slice(-page)
  return {
    type: 'conversation.opened', conversation_id: conversationId, title: 'T', messages, active_leaf: at.messages.at(-1)?.message_id ?? null,
    has_more: messages.length < beyond.length, reset: false,
    turns: at.turns.map((turn, index) => {
      const text = takenOver === null || index > 0 ? turn.text : turn.text.slice(0, takenOver)
      const shown = cursor?.turn_id === turn.turnId && cursor.attempt === turn.attempt ? (cursor.offset ?? 0) : 0
      const offset = shown > text.length ? (takenOver === 0 ? shown : 0) : shown
      return { turn_id: turn.turnId, user_message_id: turn.userMessageId, message_id: turn.replyMessageId, attempt: turn.attempt, offset, end: offset + text.slice(offset).length, text: text.slice(offset), state: takenOver === null ? 'running' : 'resuming' }
    }),
  }
}

const pieces = fc.array(fc.string({ unit: 'binary', minLength: 1, maxLength: 6 }), { maxLength: 5 })
const plans = fc.array(fc.record({ attempts: fc.array(pieces, { minLength: 1, maxLength: 3 }), fails: fc.boolean(), early: fc.boolean() }), { minLength: 1, maxLength: 4 })
const fates = fc.infiniteStream(
  fc.oneof(
    { weight: 6, arbitrary: fc.constant({ type: 'deliver' as const }) },
    { weight: 2, arbitrary: fc.constant({ type: 'twice' as const }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('overlap' as const), by: fc.nat(8) }) },
    { weight: 1, arbitrary: fc.constant({ type: 'lose' as const }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('disconnect' as const), moments: fc.nat(4), takenOver: fc.option(fc.nat(5)), cursor: fc.boolean(), page: fc.option(fc.integer({ min: 1, max: 3 })) }) },
  ),
)

t.test('however the text is cut, doubled, lost or interrupted, the client ends with what is stored', async (t) => {
  fc.assert(
    fc.property(plans, fates, (planned, stream) => {
      const moments = story(planned)
      const stored = moments.at(-1)?.messages ?? []
      let state = reduce(emptyConversation(conversationId), open({ messages: [], turns: [] }, undefined, null), { now, hadCursor: false })
      const reopen = (at: Moment, takenOver: number | null, withCursor: boolean, page?: number): void => {
        const cursor = withCursor ? cursorOf(state) : undefined
        state = reduce(state, open(at, cursor, takenOver, page), { now, hadCursor: cursor !== undefined })
      }
      for (let i = 0; i < moments.length; i++) {
        const moment = moments[i] as Moment
        const fate = stream.next().value
        const { tells } = moment
        switch (fate.type) {
          case 'lose':
            // One connection loses nothing; but should it, text that does not join must be noticed.
            if (tells.type !== 'turn.delta' && tells.type !== 'turn.started') state = reduce(state, tells, { now })
            break
          case 'twice':
            state = reduce(reduce(state, tells, { now }), tells, { now })
            break
          case 'overlap': {
            const held = moment.turns[0]?.text ?? ''
            const offset = tells.type === 'turn.delta' ? Math.max(0, tells.offset - fate.by) : 0
            state = reduce(state, tells.type === 'turn.delta' ? { ...tells, offset, text: held.slice(offset) } : tells, { now })
            break
          }
          case 'disconnect': {
            i = Math.min(moments.length - 1, i + fate.moments)
            const at = moments[i] as Moment
            reopen(at, fate.takenOver, fate.cursor, fate.page ?? undefined)
            // The server that took over catches up by what the bridge holds.
            const turn = at.turns[0]
            if (turn !== undefined && fate.takenOver !== null) state = reduce(state, { type: 'turn.delta', turn_id: turn.turnId, attempt: turn.attempt, offset: Math.min(fate.takenOver, turn.text.length), end: turn.text.length, text: turn.text.slice(fate.takenOver) }, { now })
            break
          }
          default:
            state = reduce(state, tells, { now })
        }
        if (state.desynced) reopen(moments[i] as Moment, null, true)
        if (state.desynced) throw new Error('opening from the cursor did not help')
        for (const turn of state.turns) {
          const truth = (moments[i] as Moment).turns.find(({ turnId }) => turnId === turn.turnId)
          if (truth?.attempt === turn.attempt && !truth.text.startsWith(turn.text)) throw new Error(`shown ${JSON.stringify(turn.text)} of ${JSON.stringify(truth.text)}`)
          if (turn.end !== turn.text.length) throw new Error('the end is not where the text ends')
        }
      }
      t.equal(state.turns.length, 0)
      const shown = state.messages.map(({ id, text, reason, parentId, role, turnId }) => ({ id, text, reason, parentId, role, turnId }))
      const expected = stored.map((message) => ({ id: message.message_id, text: message.content, reason: message.reason, parentId: message.parent_id, role: message.role, turnId: message.turn_id }))
      t.strictSame(shown, state.hasOlder ? expected.slice(-shown.length) : expected)
    }),
    { numRuns: 600 },
  )
})

// Single rules -------------------------------------------------------------------------------------------------------

const turn = { conversation_id: conversationId, turn_id: 'turn', user_message_id: 2048, message_id: 2049 }
const user: Message = { message_id: 2048, role: 'user', content: 'hi', parent_id: null, turn_id: 'turn', client_message_id: 'c1', created_at: now }
const run = (state: ConversationState, ...messages: ConversationMessage[]): ConversationState => messages.reduce((at, message) => reduce(at, message, { now }), state)
const opened: ConversationState = reduce(emptyConversation(conversationId), open({ messages: [], turns: [] }, undefined, null), { now })
const running = run(opened, { type: 'message.added', conversation_id: conversationId, message: user }, { type: 'turn.started', ...turn, attempt: 1, model: 'm' }, { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 0, end: 5, text: 'hello' })
const finished = (more: object): ConversationMessage => ({ type: 'turn.finished', turn_id: 'turn', attempt: 1, message_id: 2049, reason: 'stop', end: 5, usage: null, timing: { queue_ms: 0, ttft_ms: 1, total_ms: 1 }, model: null, cached: false, cost_usd: null, ...more })
const accepted = (more: object): ConversationMessage => ({ type: 'message.accepted', client_message_id: 'c1', conversation_id: conversationId, message_id: 2048, parent_id: null, turn_id: 'turn', reply_message_id: 2049, state: 'queued', duplicate: false, ...more })

t.test('a higher attempt drops what was shown, and a lower one is ignored', async (t) => {
  const anew = run(running, { type: 'turn.started', ...turn, attempt: 2, model: 'm' })
  t.match(anew.turns[0], { attempt: 2, text: '', end: 0 })
  t.equal(run(anew, { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 5, end: 6, text: '!' }), anew)
  t.equal(run(anew, { type: 'turn.started', ...turn, attempt: 1, model: 'm' }), anew)
  t.match(run(running, { type: 'turn.delta', turn_id: 'turn', attempt: 2, offset: 0, end: 2, text: 'yo' }).turns[0], { attempt: 2, text: 'yo', end: 2 }, 'told by a delta alone')
  t.match(run(running, { type: 'turn.started', ...turn, attempt: 1, model: 'm' }).turns[0], { text: 'hello' }, 'the same attempt goes on')
})

t.test('what does not join makes the state ask to be opened again, and nothing after it counts', async (t) => {
  for (const message of [
    { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 6, end: 7, text: '!' },
    { type: 'turn.delta', turn_id: 'turn', attempt: 2, offset: 1, end: 2, text: '!' },
    finished({ end: 6 }),
    finished({ end: 4 }),
    finished({ attempt: 2, end: 3 }),
    finished({ attempt: 0, end: 0 }),
  ] as ConversationMessage[]) {
    const gap = run(running, message)
    t.equal(gap.desynced, true)
    t.equal(gap.turns[0]?.text, 'hello', 'what is shown stays')
    t.equal(run(gap, { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 5, end: 6, text: '!' }), gap)
    t.strictSame(cursorOf(gap), { message_id: 2048, turn_id: 'turn', attempt: 1, offset: 5 })
  }
})

t.test('text that overlaps with what is held is trimmed', async (t) => {
  t.equal(run(running, { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 1, end: 3, text: 'el' }), running, 'nothing new')
  t.match(run(running, { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 3, end: 7, text: 'lo w' }).turns[0], { text: 'hello w', end: 7 })
  const snapshot = (offset: number, text: string, attempt = 1) =>
    reduce(running, { ...open({ messages: [], turns: [] }, undefined, null), turns: [{ turn_id: 'turn', user_message_id: 2048, message_id: 2049, attempt, offset, end: offset + text.length, text, state: 'running' }] }, { now, hadCursor: true })
  t.match(snapshot(5, ' w').turns[0], { text: 'hello w', end: 7 })
  t.match(snapshot(0, 'hello w').turns[0], { text: 'hello w', end: 7 })
  t.match(snapshot(0, 'hel').turns[0], { text: 'hello', end: 5 }, 'a server that holds less')
  t.match(snapshot(0, 'no', 2).turns[0], { text: 'no', end: 2, attempt: 2 })
  t.equal(snapshot(6, 'w').desynced, true)
  t.equal(snapshot(5, ' w', 2).desynced, true)
})

t.test('an end with a higher attempt and no text is an empty reply', async (t) => {
  const state = run(running, { type: 'turn.failed', turn_id: 'turn', attempt: 2, message_id: 2049, end: 0, error: { code: 'internal', message: 'x', retryable: true } })
  t.match(state.messages.at(-1), { text: '', reason: 'failed', attempt: 2 })
  t.equal(state.desynced, false)
})

t.test('news of a turn that has ended changes nothing', async (t) => {
  const state = run(running, finished({}))
  t.match(state.messages.at(-1), { id: 2049, text: 'hello', parentId: 2048, reason: 'stop', model: 'm', details: { cached: false } })
  for (const message of [finished({}), { type: 'turn.queued', ...turn, position: 1, eta_ms: 1 }, { type: 'turn.started', ...turn, attempt: 1, model: 'm' }, { type: 'turn.delta', turn_id: 'turn', attempt: 1, offset: 5, end: 6, text: '!' }] as ConversationMessage[]) {
    t.equal(run(state, message), state, message.type)
  }
  t.strictSame(run(state, accepted({ state: 'running', duplicate: true })).turns, [], 'an answer that comes late')
})

t.test('a reset drops the copy', async (t) => {
  const reset = reduce(running, { ...open({ messages: [{ ...user, message_id: 4096 }], turns: [] }, undefined, null), reset: true, has_more: true }, { now, hadCursor: true })
  t.strictSame(reset.messages.map(({ id }) => id), [4096])
  t.strictSame(reset.turns, [])
  t.equal(reset.hasOlder, true)
  t.strictSame(cursorOf(reset), { message_id: 4096 })
})

t.test('more than a page beyond the cursor drops what is older than the page, as there is a hole before it', async (t) => {
  const message = reduce(running, { ...open({ messages: [{ ...user, message_id: 4096 }], turns: [] }, undefined, null), has_more: true }, { now, hadCursor: true })
  t.strictSame(message.messages.map(({ id }) => id), [4096])
  t.equal(message.hasOlder, true)
})

t.test('what the user sends is shown at once, and becomes the message when it is accepted or arrives', async (t) => {
  const pending = put(opened, { clientMessageId: 'c1', kind: 'send', text: 'hi', parentId: undefined, createdAt: now })
  t.match(pending.outbox, [{ clientMessageId: 'c1', state: 'pending', text: 'hi' }])
  const answered = run(pending, accepted({}))
  t.strictSame(answered.outbox, [])
  t.match(answered.messages, [{ id: 2048, text: 'hi', clientMessageId: 'c1', role: 'user' }])
  t.match(answered.turns, [{ turnId: 'turn', state: 'queued', replyMessageId: 2049 }])
  t.equal(cursorOf(answered)?.message_id, undefined, 'the answer may have overtaken the message of another device: the cursor does not count it')
  const arrived = run(pending, { type: 'message.added', conversation_id: conversationId, message: user })
  t.strictSame(arrived.outbox, [])
  t.equal(run(arrived, accepted({})).messages.length, 1)
  t.equal(run(answered, { type: 'message.added', conversation_id: conversationId, message: user }).messages.length, 1)
  t.strictSame(reduce(pending, open({ messages: [user], turns: [] }, undefined, null), { now, hadCursor: true }).outbox, [], 'after a reconnect')
  t.strictSame(run(pending, accepted({ state: 'finished', duplicate: true })).turns, [], 'a turn that ended long ago is not live')
})

t.test('what failed can be sent again or discarded', async (t) => {
  const pending = put(opened, { clientMessageId: 'c1', kind: 'send', text: 'hi', parentId: undefined, createdAt: now })
  const failed = fail(pending, 'c1', new ChatError('busy'))
  t.match(failed.outbox, [{ state: 'failed', error: { code: 'busy' } }])
  t.match(retry(failed, 'c1').outbox, [{ state: 'pending', error: null }])
  t.strictSame(discard(failed, 'c1').outbox, [])
})

t.test('asking again for a reply adds a turn and no message', async (t) => {
  const ended = run(running, finished({}))
  const asked = put(ended, { clientMessageId: 'c2', kind: 'regenerate', text: '', parentId: 2048, createdAt: now })
  const state = run(asked, accepted({ client_message_id: 'c2', turn_id: 'turn-2', reply_message_id: 2060 }))
  t.equal(state.messages.length, 2)
  t.match(state.turns, [{ turnId: 'turn-2', userMessageId: 2048, replyMessageId: 2060 }])
})

t.test('turns wait in the order in which they run', async (t) => {
  const second = { conversation_id: conversationId, turn_id: 'second', user_message_id: 2050, message_id: 2051 }
  const state = run(running, { type: 'turn.queued', ...second, position: null, eta_ms: null })
  t.match(state.turns, [{ turnId: 'turn', state: 'running' }, { turnId: 'second', state: 'waiting' }])
  const next = run(state, finished({}), { type: 'turn.queued', ...second, position: 3, eta_ms: 900 })
  t.match(next.turns, [{ turnId: 'second', state: 'queued', position: 3, etaMs: 900 }])
})

t.test('an edit goes before what waits, and the cursor still covers what waits', async (t) => {
  const waiting = { conversation_id: conversationId, turn_id: 'waiting', user_message_id: 2050, message_id: 2051 }
  const edit = { conversation_id: conversationId, turn_id: 'edit', user_message_id: 2052, message_id: 2053 }
  const interrupted = run(running, { type: 'turn.queued', ...waiting, position: null, eta_ms: null }, finished({ reason: 'stopped' }))
  const live = run(interrupted, { type: 'turn.queued', ...edit, position: null, eta_ms: null })
  t.match(live.turns, [{ turnId: 'edit', state: 'queued' }, { turnId: 'waiting', state: 'waiting' }])
  t.equal(cursorOf(live)?.turn_id, 'waiting')

  const snapshot = (turn: typeof waiting, state: 'running' | 'waiting') => ({ turn_id: turn.turn_id, user_message_id: turn.user_message_id, message_id: turn.message_id, attempt: 1, offset: 0, end: 0, text: '', state })
  const reopened = reduce(live, { ...open({ messages: [], turns: [] }, undefined, null), turns: [snapshot(edit, 'running'), snapshot(waiting, 'waiting')] }, { now, hadCursor: true })
  t.match(reopened.turns, [{ turnId: 'edit' }, { turnId: 'waiting' }])
  t.equal(cursorOf(reopened)?.turn_id, 'waiting', 'or its reply would be lost, were it stopped while the client is away')
})

t.test('older pages join at the top, and memory is bounded', async (t) => {
  const page = (from: number, count: number): Message[] => Array.from({ length: count }, (_, i) => ({ ...user, message_id: from + i, client_message_id: `k${from + i}` }))
  let state = reduce(emptyConversation(conversationId), { ...open({ messages: page(100_000, 200), turns: [] }, undefined, null), has_more: true }, { now })
  const older = run(state, { type: 'history', conversation_id: conversationId, messages: page(99_000, 100), has_more: true })
  t.equal(older.messages.length, 300)
  t.ok(older.messages.every((message, i) => i === 0 || message.id > (older.messages[i - 1]?.id ?? 0)))
  t.equal(older.hasOlder, true)
  t.equal(older.newestSeen, 100_199)
  for (let from = 200_000; state.messages.length < heldMessages; from++) state = run(state, { type: 'message.added', conversation_id: conversationId, message: { ...user, message_id: from } })
  const full = run(state, { type: 'message.added', conversation_id: conversationId, message: { ...user, message_id: 900_000 } })
  t.equal(full.messages.length, heldMessages)
  t.equal(full.messages.at(-1)?.id, 900_000)
  t.equal(full.hasOlder, true)
})
