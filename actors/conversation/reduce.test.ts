import t from 'tap'
import type { WriteResult } from '../../storage/conversation-store.ts'
import type { ConversationEvent, Effect } from './events.ts'
import { reduce } from './reduce.ts'
import { appendIds, emptyIds } from './token-ids.ts'
import type { ConversationState } from './state.ts'
import type { Turn } from './turn.ts'
import { turnFromRow } from './turn.ts'

const now = 1_000_000

function turn(n: number, over: Partial<Turn> = {}): Turn {
  const row = turnFromRow({
    turnId: `turn-${n}`, conversationId: 1, userId: 'ann', clientMessageId: `c${n}`, userMessageId: n * 10, parentId: null, replyMessageId: n * 10 + 1,
    state: 'queued', attempt: 1, run: 0, bridge: null, barrenGrants: 0, lane: 'standard', model: null, params: {}, acceptedAt: now - 100, startedAt: null, deadlineAt: now + 60_000,
  })
  return { ...row, ...over }
}

const running: Partial<Turn> = { state: 'running', run: 1, bridge: 'b1', model: 'm', text: 'Hello', ids: appendIds(emptyIds, new Uint8Array([1, 0, 0, 0])), heardAt: now, startedAt: now - 50, firstTextAt: now - 40 }
const base: ConversationState = { conversationId: 1, userId: 'ann', title: 'T', model: null, system: null, updatedAt: 0, leaf: null, turns: [], step: null }

const accept = (over: Partial<Extract<ConversationEvent, { type: 'accept' }>> = {}): ConversationEvent => ({
  type: 'accept', key: 1, now, turnId: 'turn-9', clientMessageId: 'c9', commandHash: new Uint8Array(32), interrupts: false,
  user: { type: 'new', content: 'hi', parentId: undefined }, lane: 'standard', traceparent: null, model: null, params: {}, deadlineAt: now + 60_000, ...over,
})
const finishRequest = { v: 1, turn_id: 'turn-1', conversation_id: 1, bridge: 'b1', run: 1, offset: 5, text: ' world', outcome: { type: 'finished' as const, reason: 'stop' as const }, usage: null, model: 'm', cached: false, cost_usd: null }

const phases = {
  idle: base,
  queued: { ...base, leaf: 11, turns: [turn(1)] },
  accepted: { ...base, leaf: 11, turns: [turn(1, { mayGrantAhead: true })] },
  running: { ...base, leaf: 11, turns: [turn(1, running)] },
  silent: { ...base, leaf: 11, turns: [turn(1, { ...running, heardAt: now - 3_000 })] },
  resuming: { ...base, leaf: 11, turns: [turn(1, { state: 'resuming', run: 1, bridge: 'b1' })] },
  followed: { ...base, leaf: 21, turns: [turn(1, running), turn(2, { state: 'waiting' })] },
  accepting: reduce(base, accept()).state,
  beginning: reduce({ ...base, leaf: 11, turns: [turn(1)] }, begin()).state,
  beginningAhead: reduce({ ...base, leaf: 11, turns: [turn(1, { mayGrantAhead: true })] }, begin({ bridge: 'b1' })).state,
  endingGranted: reduce(reduce({ ...base, leaf: 11, turns: [turn(1, { mayGrantAhead: true })] }, begin({ bridge: 'b1' })).state, { type: 'withdrawn', finish: { type: 'finish', key: 3, now, request: { ...finishRequest, offset: 0 } } }).state,
  ending: reduce({ ...base, leaf: 11, turns: [turn(1, running)] }, { type: 'stop', key: 7, now, turnId: 'turn-1' }).state,
  renaming: reduce({ ...base, leaf: 11, turns: [turn(1, running)] }, { type: 'rename', key: 8, title: 'New' }).state,
  deleting: reduce({ ...base, leaf: 31, turns: [turn(1, running), turn(2, { state: 'waiting' })] }, { type: 'delete', key: 8 }).state,
  expiring: reduce({ ...base, leaf: 11, turns: [turn(1, running)] }, { type: 'expire', now: now + 60_000, turnId: 'turn-1' }).state,
  aborting: reduce({ ...base, leaf: 11, turns: [turn(1, { state: 'resuming', run: 1, bridge: 'b1' })] }, { type: 'stop', key: 7, now, turnId: 'turn-1' }).state,
} satisfies Record<string, ConversationState>

function begin(over: Partial<Extract<ConversationEvent, { type: 'begin' }>> = {}): ConversationEvent {
  return { type: 'begin', key: 2, now, turnId: 'turn-1', bridge: 'b2', defaultModel: 'm', fresh: false, ...over }
}

const events = {
  send: accept(),
  edit: accept({ interrupts: true, user: { type: 'new', content: 'better', parentId: null } }),
  begin: begin(),
  beginFresh: begin({ bridge: 'b1', fresh: true }),
  delta: { type: 'delta', now, bridge: 'b1', turnId: 'turn-1', run: 1, offset: 5, text: ', you', idOffset: 1, ids: new Uint8Array([2, 0, 0, 0]) },
  gap: { type: 'delta', now, bridge: 'b1', turnId: 'turn-1', run: 1, offset: 50, text: 'x', idOffset: 9, ids: new Uint8Array(4) },
  stray: { type: 'delta', now, bridge: 'b0', turnId: 'turn-1', run: 9, offset: 0, text: 'x', idOffset: 0, ids: new Uint8Array(4) },
  finish: { type: 'finish', key: 3, now, request: finishRequest },
  finishStray: { type: 'finish', key: 3, now, request: { ...finishRequest, run: 9 } },
  stop: { type: 'stop', key: 4, now, turnId: 'turn-1' },
  expire: { type: 'expire', now: now + 60_000, turnId: 'turn-1' },
  rename: { type: 'rename', key: 5, title: 'New' },
  delete: { type: 'delete', key: 5 },
  expireEarly: { type: 'expire', now, turnId: 'turn-1' },
  cut: { type: 'cut', turnId: 'turn-1' },
  attached: { type: 'attached', now, turnId: 'turn-1', run: 1, offset: 0, idOffset: 0, answer: { text: 'Hello there', ids: new Uint8Array(8) } },
  attachLost: { type: 'attached', now, turnId: 'turn-1', run: 1, offset: 0, idOffset: 0, answer: null },
  released: { type: 'released', turnId: 'turn-1', run: 1 },
  committed: { type: 'written', now, result: { status: 'committed', accepted: { userMessageId: 90, replyMessageId: 91 } } },
  stale: { type: 'written', now, result: { status: 'stale' } },
  conflict: { type: 'written', now, result: { status: 'conflict' } },
  unwritten: { type: 'unwritten' },
  withdrawn: { type: 'withdrawn', finish: { type: 'finish', key: 3, now, request: { ...finishRequest, offset: 0 } } },
  withdrawnGap: { type: 'withdrawn', finish: { type: 'finish', key: 3, now, request: finishRequest } },
  aborted: { type: 'aborted', now, text: 'Hello the' },
  abortSilence: { type: 'aborted', now, text: null },
} satisfies Record<string, ConversationEvent>

function brief(effect: Effect): string {
  switch (effect.type) {
    case 'write':
      return `write:${[...(effect.write.ends ?? []).map((end) => `end(${end.end.type === 'finished' ? end.end.reason : end.end.error.code},a${end.attempt},"${end.content}")`), ...(effect.write.accept ? [`accept(${effect.write.accept.state})`] : []), ...(effect.write.begin ? [`begin(r${effect.write.begin.run},a${effect.write.begin.attempt})`] : []), ...(effect.write.promote ? ['promote'] : []), ...(effect.write.rename === undefined ? [] : ['rename']), ...(effect.write.remove ? ['remove'] : [])].join('+')}`
    case 'answer':
      return effect.answer.type === 'error' ? `answer:${effect.answer.code}` : `answer:${effect.answer.type}`
    case 'emit':
      return effect.event.type
    case 'show':
      return `show:"${effect.text}"`
    case 'attach':
      return `attach@${effect.offset}`
    default:
      return effect.type
  }
}

type Table = Record<keyof typeof phases, Record<keyof typeof events, string>>

const nothing = { withdrawn: 'answer:busy', withdrawnGap: 'answer:busy', gap: '', attached: '', attachLost: '', released: '', committed: '', stale: '', conflict: '', unwritten: '', aborted: '', abortSilence: '', cut: '', expireEarly: '' }
const stray = 'abort'
const early = { send: 'answer:busy', edit: 'answer:busy', begin: 'answer:busy', beginFresh: 'answer:busy', finish: 'answer:busy', finishStray: 'answer:busy', stop: 'answer:busy', rename: 'answer:busy', delete: 'answer:busy', expire: '' }
const whole = { rename: 'write:rename', delete: 'write:remove' }

const table: Table = {
  idle: { ...nothing, ...whole, send: 'write:accept(queued)', edit: 'write:accept(queued)', begin: 'answer:gone', beginFresh: 'answer:gone', delta: stray, gap: stray, stray, finish: 'answer:ask_store', finishStray: 'answer:ask_store', stop: 'answer:ask_store', expire: '' },
  queued: { ...nothing, ...whole, send: 'write:accept(waiting)', edit: 'write:end(stopped,a1,"")+accept(queued)', begin: 'write:begin(r2,a1)', beginFresh: 'write:begin(r2,a1)', delta: stray, gap: stray, stray, finish: 'answer:abort', finishStray: 'answer:abort', stop: 'write:end(stopped,a1,"")', expire: 'write:end(deadline_exceeded,a1,"")' },
  accepted: { ...nothing, ...whole, send: 'write:accept(waiting)', edit: 'write:end(stopped,a1,"")+accept(queued)', begin: 'answer:granted write:begin(r1,a1)', beginFresh: 'answer:granted write:begin(r1,a1)', delta: stray, gap: stray, stray, finish: 'answer:abort', finishStray: 'answer:abort', stop: 'write:end(stopped,a1,"")', expire: 'write:end(deadline_exceeded,a1,"")' },
  running: { ...nothing, ...whole, send: 'write:accept(waiting)', edit: 'write:end(stopped,a1,"Hello")+accept(queued)', begin: 'answer:busy', beginFresh: 'write:begin(r2,a2)', delta: 'show:", you"', gap: 'attach@5', stray, finish: 'show:" world" write:end(stop,a1,"Hello world")', finishStray: 'answer:abort', stop: 'write:end(stopped,a1,"Hello")', expire: 'write:end(deadline_exceeded,a1,"Hello")', attached: 'show:" there"' },
  silent: { ...nothing, ...whole, send: 'write:accept(waiting)', edit: 'write:end(stopped,a1,"Hello")+accept(queued)', begin: 'write:begin(r2,a1)', beginFresh: 'write:begin(r2,a2)', delta: 'show:", you"', gap: 'attach@5', stray, finish: 'show:" world" write:end(stop,a1,"Hello world")', finishStray: 'answer:abort', stop: 'write:end(stopped,a1,"Hello")', expire: 'write:end(deadline_exceeded,a1,"Hello")', attached: 'show:" there"' },
  resuming: { ...nothing, ...whole, send: 'write:accept(waiting)', edit: 'askAbort', begin: 'write:begin(r2,a2)', beginFresh: 'write:begin(r2,a2)', delta: '', gap: '', stray, finish: 'answer:gap', finishStray: 'answer:abort', stop: 'askAbort', expire: 'askAbort', attached: 'show:"Hello there"' },
  followed: { ...nothing, ...whole, send: 'write:accept(waiting)', edit: 'write:end(stopped,a1,"Hello")+accept(queued)', begin: 'answer:busy', beginFresh: 'write:begin(r2,a2)', delta: 'show:", you"', gap: 'attach@5', stray, finish: 'show:" world" write:end(stop,a1,"Hello world")+promote', finishStray: 'answer:abort', stop: 'write:end(stopped,a1,"Hello")+promote', expire: 'write:end(deadline_exceeded,a1,"Hello")+promote', attached: 'show:" there"' },
  accepting: { ...nothing, ...early, delta: stray, gap: stray, stray, committed: 'answer:accepted message.added turn.queued publish', stale: 'answer:moved drop', conflict: 'answer:idempotency_conflict', unwritten: 'answer:unavailable' },
  beginning: { ...nothing, ...early, delta: stray, gap: stray, stray, committed: 'turn.started answer:granted', stale: 'answer:busy drop', conflict: 'answer:busy', unwritten: 'answer:busy' },
  beginningAhead: { ...nothing, ...early, delta: '', gap: '', stray, committed: 'turn.started', stale: 'drop', conflict: 'abort', unwritten: 'abort', withdrawn: 'write:end(stop,a1," world")', withdrawnGap: 'answer:gap write:begin(r1,a1)' },
  endingGranted: { ...nothing, ...early, delta: '', gap: '', stray, committed: 'turn.started show:" world" turn.finished answer:confirmed', stale: 'answer:busy drop', conflict: 'answer:busy', unwritten: 'answer:busy' },
  ending: { ...nothing, ...early, delta: '', gap: '', stray, committed: 'turn.finished abort answer:stopped', stale: 'answer:moved drop', conflict: 'answer:idempotency_conflict', unwritten: 'answer:unavailable' },
  renaming: { ...nothing, ...early, delta: 'show:", you"', gap: 'attach@5', stray, attached: 'show:" there"', committed: 'conversation.updated answer:renamed', stale: 'answer:moved drop', conflict: 'answer:idempotency_conflict', unwritten: 'answer:unavailable' },
  deleting: { ...nothing, ...early, delta: 'show:", you"', gap: 'attach@5', stray, attached: 'show:" there"', committed: 'turn.finished abort turn.finished conversation.deleted answer:deleted deleted', stale: 'answer:moved drop', conflict: 'answer:idempotency_conflict', unwritten: 'answer:unavailable' },
  expiring: { ...nothing, ...early, delta: '', gap: '', stray, committed: 'turn.failed abort deadLetter', stale: 'drop', conflict: '', unwritten: '' },
  aborting: { ...nothing, ...early, delta: '', gap: '', stray, aborted: 'show:"Hello the" write:end(stopped,a1,"Hello the")', abortSilence: 'write:end(stopped,a2,"")' },
}

t.test('every event in every phase has the effects that the table names', async (t) => {
  for (const [phase, row] of Object.entries(table) as [keyof typeof phases, Table[keyof Table]][]) {
    for (const [name, expected] of Object.entries(row) as [keyof typeof events, string][]) {
      t.equal(reduce(phases[phase], events[name]).effects.map(brief).join(' '), expected, `${phase} × ${name}`)
    }
  }
})

t.test('a deleted conversation ends its turns with what was shown of them, or with nothing where that is not known', async (t) => {
  const ends = (state: ConversationState) => {
    const { effects } = reduce(reduce(state, { type: 'delete', key: 8 }).state, events.committed)
    return effects.flatMap((effect) => (effect.type === 'emit' && effect.event.type === 'turn.finished' ? [[effect.event.turn_id, effect.event.attempt, effect.event.end, effect.event.reason]] : []))
  }
  t.same(ends(phases.followed), [['turn-1', 1, 5, 'stopped'], ['turn-2', 1, 0, 'stopped']])
  t.same(ends(phases.resuming), [['turn-1', 2, 0, 'stopped']])
})

t.test('a new title is told with the time of the last use', async (t) => {
  const { state, effects } = reduce(reduce({ ...base, updatedAt: now }, events.rename).state, events.committed)
  t.equal(state.title, 'New')
  t.match(effects[0], { event: { type: 'conversation.updated', title: 'New', updated_at: new Date(now).toISOString() } })
})

t.test('a fifth waiting turn is refused, and a repeated command is not', async (t) => {
  const full: ConversationState = { ...base, leaf: 51, turns: [turn(1, running), ...[2, 3, 4, 5].map((n) => turn(n, { state: 'waiting' }))] }
  t.equal(reduce(full, accept()).effects.map(brief).join(), 'answer:busy')
  t.equal(reduce(full, accept({ clientMessageId: 'c5' })).effects.map(brief).join(), 'write:accept(waiting)')
})

t.test('an edit leaves waiting turns waiting, and goes first', async (t) => {
  const edited = reduce(phases.followed, events.edit)
  const { state } = reduce(edited.state, events.committed)
  t.same(state.turns.map((each) => [each.turnId, each.state]), [['turn-9', 'queued'], ['turn-2', 'waiting']])
  t.equal(state.leaf, 91)
})

t.test('the end of a turn queues the one that waited longest', async (t) => {
  const finished = reduce(phases.followed, events.finish)
  const { state, effects } = reduce(finished.state, { type: 'written', now, result: { status: 'committed' } })
  t.same(state.turns.map((each) => [each.turnId, each.state]), [['turn-2', 'queued']])
  t.equal(effects.map(brief).join(' '), 'turn.finished answer:confirmed turn.queued publish')
})

t.test('a turn whose grants bring no text fails after the fifth', async (t) => {
  let state: ConversationState = phases.accepted
  let effects: readonly Effect[] = []
  const committed: WriteResult = { status: 'committed' }
  for (let grants = 0; grants < 6; grants += 1) {
    const asked = reduce(state, { ...begin(), now: now + grants * 3_000 } as ConversationEvent)
    effects = asked.effects
    const done = reduce(asked.state, { type: 'written', now: now + grants * 3_000, result: committed })
    state = done.state
    effects = [...effects, ...done.effects]
  }
  t.equal(effects.map(brief).join(' '), 'write:end(engine_unavailable,a1,"") turn.failed abort answer:gone deadLetter')
  t.match(effects.at(-1), { letter: { turnId: 'turn-1', conversationId: 1, lane: 'standard', reason: 'engine_unavailable', attempt: 1, run: 5, bridge: 'b2' } })
  t.same(state.turns, [])
})

t.test('what a first run sends ahead of its commit is shown after it, and to nobody where it is not made', async (t) => {
  const granted = reduce(phases.accepted, begin({ bridge: 'b1' }))
  const said = (offset: number, text: string): ConversationEvent => ({ ...events.delta, offset, idOffset: offset, text, ids: new Uint8Array(4 * text.length) })
  const held = [said(0, 'Hel'), said(0, 'Hel'), said(3, 'lo'), said(50, 'x')].reduce((state, event) => {
    const next = reduce(state, event)
    t.same(next.effects, [])
    return next.state
  }, granted.state)
  const shown = reduce(held, events.committed)
  t.equal(shown.effects.map(brief).join(' '), 'turn.started show:"Hello"')
  t.match(shown.state.turns, [{ text: 'Hello', ids: { count: 5 }, run: 1, state: 'running', firstTextAt: now }])
  t.equal(reduce(shown.state, said(5, '!')).effects.map(brief).join(), 'show:"!"')

  const cut = reduce(reduce(reduce(granted.state, said(0, 'Hel')).state, events.cut).state, said(3, 'lo')).state
  t.equal(reduce(cut, events.committed).effects.map(brief).join(' '), 'turn.started show:"Hel"', 'a stop cuts what came before the commit, too')

  const refused = reduce(held, events.unwritten)
  t.match(refused.effects, [{ type: 'abort', bridge: 'b1', run: 1 }])
  t.equal(reduce(refused.state, begin({ bridge: 'b1' })).effects.map(brief).join(), 'write:begin(r2,a1)', 'a number is not given twice')
})

t.test('a run that finishes before its grant was committed is granted and ended by one commit, and shown after it', async (t) => {
  const said: ConversationEvent = { ...events.delta, offset: 0, idOffset: 0, text: 'Hello', ids: new Uint8Array(20) }
  const held = reduce(reduce(phases.accepted, begin({ bridge: 'b1' })).state, said).state
  const finish = { type: 'finish' as const, key: 3, now, request: finishRequest }
  const ending = reduce(held, { type: 'withdrawn', finish })
  t.match(ending.effects, [{ type: 'write', refusable: false, write: { ends: [{ run: 1, content: 'Hello world', granted: { bridge: 'b1', barrenGrants: 0, startedAt: now } }] } }])
  t.match(ending.state.turns, [{ state: 'queued', run: 0, text: '' }], 'whoever opens it now sees what is committed')
  const { state, effects } = reduce(ending.state, events.committed)
  t.equal(effects.map(brief).join(' '), 'turn.started show:"Hello world" turn.finished answer:confirmed')
  t.same(state.turns, [])

  const unwritten = reduce(ending.state, events.unwritten)
  t.equal(unwritten.effects.map(brief).join(), 'answer:busy')
  t.equal(reduce(unwritten.state, finish).effects.map(brief).join(), 'answer:abort', 'nobody has seen anything of it')
  t.equal(reduce(unwritten.state, begin({ bridge: 'b1' })).effects.map(brief).join(), 'write:begin(r2,a1)', 'a number is not given twice')

  const refused = reduce(ending.state, { type: 'written', now, result: { status: 'refused', sqlState: '22021' } })
  t.match(refused.effects, [{ write: { ends: [{ content: '', attempt: 2, granted: { bridge: 'b1' } }] } }])
  t.equal(reduce(refused.state, events.committed).effects.map(brief).join(' '), 'turn.failed answer:confirmed')
})

t.test('a turn that fails before its text is known again ends under an attempt that shows nothing', async (t) => {
  const state: ConversationState = { ...base, leaf: 11, turns: [turn(1, { state: 'resuming', run: 5, bridge: 'b1', barrenGrants: 4, attempt: 3 })] }
  t.same(reduce(state, begin()).effects.map(brief), ['write:end(engine_unavailable,a4,"")'])
})

t.test('text that came while a stop was written is not taken', async (t) => {
  const cut = reduce(phases.running, events.cut).state
  t.same(reduce(cut, events.delta).effects, [])
  t.equal(reduce(cut, events.stop).effects.map(brief).join(), 'write:end(stopped,a1,"Hello")')
  t.equal(reduce(cut, events.finish).effects.map(brief).join(' '), 'show:" world" write:end(stop,a1,"Hello world")', 'a finish that was first is kept')
})

t.test('what overlaps is left out, in text and in ids', async (t) => {
  const overlap: ConversationEvent = { type: 'delta', now, bridge: 'b1', turnId: 'turn-1', run: 1, offset: 2, text: 'llo!', idOffset: 0, ids: new Uint8Array([1, 0, 0, 0, 3, 0, 0, 0]) }
  const { state } = reduce(phases.running, overlap)
  t.equal(state.turns[0]?.text, 'Hello!')
  t.equal(state.turns[0]?.ids.count, 2)
  t.same(reduce(state, overlap).effects, [], 'again')
})

t.test('a grant after silence goes on from the text that was shown, old deltas included', async (t) => {
  const asked = reduce(phases.silent, events.begin)
  const late = reduce(asked.state, events.delta)
  const { state, effects } = reduce(late.state, events.committed)
  t.equal(effects.map(brief).join(' '), 'answer:granted')
  t.match(state.turns[0], { run: 2, attempt: 1, text: 'Hello, you', textAtGrant: 10 })
})

t.test('a reply that Postgres refuses fails under an attempt that shows nothing', async (t) => {
  const finishing = reduce(phases.running, events.finish)
  const refused = reduce(finishing.state, { type: 'written', now, result: { status: 'refused', sqlState: '22021' } })
  t.equal(refused.effects.map(brief).join(' '), 'write:end(internal,a2,"")')
  const { state, effects } = reduce(refused.state, { type: 'written', now, result: { status: 'committed' } })
  t.equal(effects.map(brief).join(' '), 'turn.failed answer:confirmed')
  t.same(state.turns, [])
})

t.test('an end that can be written in no form leaves the turn to its bridge, and to the next grant', async (t) => {
  const refused: ConversationEvent = { type: 'written', now, result: { status: 'refused', sqlState: 'XX000' } }
  const finishing = reduce(phases.running, events.finish)
  const empty = reduce(finishing.state, refused)
  const left = reduce(empty.state, refused)
  t.equal(left.effects.map(brief).join(), 'answer:busy')
  t.match(left.state, { step: null, turns: [{ cut: false, text: 'Hello world' }] })
  t.equal(reduce(left.state, { ...events.finish, request: { ...finishRequest, offset: 11, text: '' } }).effects.map(brief).join(), 'write:end(stop,a1,"Hello world")', 'its bridge asks again')
  t.equal(reduce(left.state, { ...begin(), now: now + 3_000 } as ConversationEvent).effects.map(brief).join(), 'write:begin(r2,a2)', 'another cannot go on from a text whose ids are not known')
})

t.test('a stop that was not written lets the text go on', async (t) => {
  const { state } = reduce(phases.ending, events.unwritten)
  t.match(reduce(state, events.delta).effects.map(brief), ['show:", you"'])
})

t.test('text without token ids is begun anew', async (t) => {
  const bare: ConversationState = { ...base, turns: [turn(1, { ...running, ids: emptyIds, heardAt: 0 })] }
  t.equal(reduce(bare, events.begin).effects.map(brief).join(), 'write:begin(r2,a2)')
})

t.test('an answer to attach that comes before the last word shows nothing twice', async (t) => {
  for (const event of [events.edit, events.expire]) {
    const asked = reduce(phases.resuming, event)
    const attached = reduce(asked.state, events.attached)
    const { state, effects } = reduce(attached.state, { ...events.aborted, text: 'Hello there' })
    const shown = [...attached.effects, ...effects].flatMap((effect) => (effect.type === 'show' ? [effect.text] : []))
    t.same(shown, ['Hello there'])
    t.match(state.turns[0], { text: 'Hello there', cut: true })
  }
})

t.test('an edit that was not written leaves no replay that nobody will answer', async (t) => {
  const gapped = reduce(phases.running, events.gap)
  const edited = reduce(gapped.state, events.edit)
  const ignored = reduce(edited.state, { ...events.attached, offset: 5, idOffset: 1 })
  const { state } = reduce(ignored.state, events.unwritten)
  t.same(reduce(state, events.gap).effects.map(brief), ['attach@5'])
})

t.test('a run that its bridge has let go of is granted anew at once, and goes on from its text', async (t) => {
  const { state } = reduce(phases.running, events.released)
  t.same(reduce(state, events.begin).effects.map(brief), ['write:begin(r2,a1)'])
  const other = reduce(phases.running, { ...events.released, run: 7 }).state
  t.same(reduce(other, events.begin).effects.map(brief), ['answer:busy'], 'not by the word of another run')
})

t.test('a run that is heard of is not granted anew while its text is not known', async (t) => {
  const heard = reduce(phases.resuming, events.delta)
  t.same(heard.effects, [])
  t.same(reduce(heard.state, events.begin).effects.map(brief), ['answer:busy'])
})
