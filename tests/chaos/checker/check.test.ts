import t from 'tap'
import { check } from './check.ts'
import type { Evidence, FindingKind } from './evidence.ts'
import { longestPauses } from './pauses.ts'
import { cleanEvidence, conversationId, type Mutable } from './testing/clean-evidence.ts'

type Broken = Mutable<Evidence>

const phone = (evidence: Broken) => evidence.transcripts[0] as Broken['transcripts'][number]
const laptop = (evidence: Broken) => evidence.transcripts[1] as Broken['transcripts'][number]
const rows = (evidence: Broken) => evidence.stored[0] as Broken['stored'][number]
const turn = (evidence: Broken, at: number) => rows(evidence).turns[at] as Broken['stored'][number]['turns'][number]
const sent = (evidence: Broken, at: number) => evidence.sent[at] as Broken['sent'][number]
const request = (evidence: Broken, at: number) => evidence.engine[at] as Broken['engine'][number]
const change = (evidence: Broken, at: number) => phone(evidence).changes[at] as Broken['transcripts'][number]['changes'][number]
const message = (evidence: Broken, id: number) => rows(evidence).messages.find((each) => each.id === id) as Broken['stored'][number]['messages'][number]

function frames<Type extends string>(transcript: Broken['transcripts'][number], type: Type) {
  type Told = Extract<Broken['transcripts'][number]['frames'][number]['message'], { type: Type }>
  return transcript.frames.flatMap((frame) => (frame.message.type === type ? [frame.message as Told] : []))
}

function twice(transcript: Broken['transcripts'][number], type: string): void {
  const at = transcript.frames.findIndex((frame) => frame.message.type === type)
  transcript.frames.splice(at, 0, structuredClone(transcript.frames[at] as Broken['transcripts'][number]['frames'][number]))
}

function without(transcript: Broken['transcripts'][number], type: string): void {
  transcript.frames.splice(transcript.frames.findIndex((frame) => frame.message.type === type), 1)
}

t.test('a clean run has no findings', async (t) => {
  t.same(check(cleanEvidence()), [])
})

/** Each breaks one thing, and says what must be found. */
const mutations: readonly (readonly [string, FindingKind, RegExp, (evidence: Broken) => void])[] = [
  // What is stored.
  ['an accepted message is not stored', 'loss', /accepted message is not stored/, (e) => void rows(e).turns.splice(0, 1)],
  ['a turn never ends', 'loss', /never ended: it is running/, (e) => void Object.assign(turn(e, 0), { state: 'running', endedAt: null })],
  ['a reply is gone', 'loss', /reply of an ended turn is not stored/, (e) => void rows(e).messages.splice(1, 1)],
  ['a question is gone', 'loss', /message of a turn is not stored/, (e) => void rows(e).messages.splice(0, 1)],
  ['a key is taken twice', 'double', /2 turns were accepted for the one key turn-1/, (e) => void rows(e).turns.push({ ...turn(e, 0), turnId: 'other' })],
  ['a message is stored twice', 'double', /2 messages are stored for the one key/, (e) => void rows(e).messages.push({ ...message(e, 10), id: 99 })],
  ['a turn has two replies', 'double', /2 replies are stored for one turn/, (e) => void rows(e).messages.push({ ...message(e, 11), id: 99 })],
  ['a turn comes from nowhere', 'reorder', /nobody asked for/, (e) => void Object.assign(turn(e, 0), { clientMessageId: 'who' })],
  ['a reply ends early as if complete', 'loss', /too_short/, (e) => void Object.assign(message(e, 11), { content: message(e, 11).content.slice(0, -4) })],
  ['a reply ends before its tokens are spent', 'loss', /\(length\) is wrong .* too_short/, (e) => void (Object.assign(message(e, 11), { reason: 'length' }) && Object.assign(sent(e, 0), { params: { max_tokens: 13 } }))],
  ['a reply has a gap', 'loss', /wrong at \d+: gap/, (e) => void Object.assign(message(e, 16), { content: message(e, 16).content.replace(/ [a-z]7/, '') })],
  ['a reply says a word twice', 'double', /wrong at \d+: repeat/, (e) => void Object.assign(message(e, 16), { content: message(e, 16).content.replace(/( [a-z]7)/, '$1$1') })],
  ['a reply answers another message', 'reorder', /wrong at 0: foreign/, (e) => void Object.assign(message(e, 11), { content: message(e, 16).content })],
  ['a reply hangs elsewhere', 'reorder', /hangs below another message/, (e) => void Object.assign(message(e, 11), { parentId: 15 })],
  ['a message hangs below nothing', 'loss', /hangs below 9/, (e) => void Object.assign(message(e, 12), { parentId: 9 })],
  ['a turn fails', 'error', /a turn failed: engine_unavailable/, (e) => void Object.assign(message(e, 16), { reason: 'failed', error: 'engine_unavailable' })],
  // What was asked.
  ['a message is never accepted', 'error', /never accepted/, (e) => void Object.assign(sent(e, 0), { accepted: null })],
  ['a message is refused', 'error', /was refused: unavailable/, (e) => void sent(e, 0).refusals.push('unavailable')],
  ['an acceptance lies', 'reorder', /otherwise than its acceptance said/, (e) => void Object.assign(sent(e, 0).accepted ?? {}, { replyMessageId: 77 })],
  ['a message is changed', 'reorder', /another text than was sent/, (e) => void Object.assign(sent(e, 0), { text: 'other' })],
  ['a repetition starts a turn', 'double', /repeated key began another turn/, (e) => void Object.assign(sent(e, 1).repeats[0] ?? {}, { turnId: 'other' })],
  ['a repetition is not known as one', 'double', /accepted as if new/, (e) => void Object.assign(sent(e, 1).repeats[0] ?? {}, { duplicate: false })],
  ['messages change places', 'reorder', /later message got a lower id/, (e) => void e.sent.reverse()],
  // What was shown.
  ['text is taken back', 'loss', /taken back/, (e) => void Object.assign(change(e, 1), { from: 3 })],
  ['text has a gap', 'loss', /with a gap/, (e) => void Object.assign(change(e, 1), { from: change(e, 1).from + 5 })],
  ['text comes twice', 'double', /wrong text .* repeat/, (e) => void Object.assign(change(e, 1), { text: change(e, 0).text.slice(change(e, 0).text.lastIndexOf(' ')) + change(e, 1).text })],
  ['text of another reply', 'reorder', /wrong text .* foreign/, (e) => void Object.assign(change(e, 0), { text: change(e, 2).text })],
  ['text of a turn that is not stored', 'reorder', /turn that is not stored/, (e) => void Object.assign(change(e, 0), { turnId: 'other' })],
  ['a reply begins anew', 'loss', /began anew after \d+ units, in attempt 2/, (e) => void Object.assign(change(e, 1), { attempt: 2, from: 0 })],
  ['an attempt goes back', 'loss', /attempt 1 after 2/, (e) => void Object.assign(change(e, 0), { attempt: 2 })],
  ['less is shown than stored', 'loss', /units of a reply in the end/, (e) => void phone(e).changes.splice(1, 1)],
  ['an unfinished turn stays on the screen', 'loss', /shows a turn that never ended/, (e) => void phone(e).final.unfinished.push('turn-1')],
  ['a stored message is not shown', 'loss', /does not show the stored user message 10/, (e) => void phone(e).final.messages.splice(0, 1)],
  ['a message is shown that is not stored', 'double', /is not stored/, (e) => void phone(e).final.messages.push({ id: 99, role: 'user', parentId: null, text: 'x', turnId: null })],
  ['another end is shown', 'reorder', /ended as stopped/, (e) => void Object.assign(phone(e).final.messages[1] ?? {}, { reason: 'stopped' })],
  ['a client gives up', 'error', /phone: conversation_not_found/, (e) => void phone(e).faults.push('conversation_not_found')],
  // What came over the wire.
  ['a delta is lost', 'loss', /text from \d+ on, and stood at 0/, (e) => without(laptop(e), 'turn.delta')],
  ['a delta comes twice', 'double', /text from 0 on again/, (e) => twice(laptop(e), 'turn.delta')],
  ['a delta miscounts', 'reorder', /units as the text from/, (e) => void Object.assign(frames(phone(e), 'turn.delta')[0] ?? {}, { text: 'x' })],
  ['the end comes twice', 'double', /end of a turn twice/, (e) => twice(phone(e), 'turn.finished')],
  ['the end comes too early', 'loss', /ends at \d+, and stood at/, (e) => void phone(e).frames.splice(phone(e).frames.findLastIndex((frame) => frame.message.type === 'turn.delta'), 1)],
  ['two devices are told different ends', 'double', /different ends/, (e) => void Object.assign(frames(laptop(e), 'turn.finished')[0] ?? {}, { reason: 'length' })],
  ['a message is added twice', 'double', /of message 10 after 10/, (e) => twice(phone(e), 'message.added')],
  ['a message is added late', 'reorder', /of message 10 after 12/, (e) => frames(phone(e), 'message.added').slice(0, 2).forEach((frame, at) => void (frame.message.message_id = [12, 10][at] ?? 0))],
  ['text after a reconnect begins elsewhere', 'double', /again, and stood at/, (e) => void Object.assign(frames(laptop(e), 'conversation.opened')[1]?.turns[0] ?? {}, { end: 300, offset: 300 })],
  ['an answer comes twice', 'double', /answer to one command twice/, (e) => [Object.assign(frames(phone(e), 'conversation.opened')[0] ?? {}, { ref: 1 })].forEach(() => twice(phone(e), 'conversation.opened'))],
  // What the engine was asked.
  ['a shown reply is generated again', 'double', /begin a reply 1 times more/, (e) => void Object.assign(request(e, 2), { resumedAt: 0 })],
  ['two generations run at once', 'double', /side by side/, (e) => void e.engine.push({ ...request(e, 0), startedAt: request(e, 0).startedAt + 50, resumedAt: 3 })],
  ['a reply is gone on with from other tokens', 'reorder', /not its reply's/, (e) => void Object.assign(request(e, 2), { resumedIntact: false })],
  ['the engine sees another conversation', 'reorder', /another conversation/, (e) => void Object.assign(request(e, 4), { promptHash: '00000000' })],
  ['the engine is asked about nothing stored', 'reorder', /answer no stored message/, (e) => void e.engine.push({ ...request(e, 0), tag: '00000000' })],
  // What was left over.
  ['a job is left', 'leak', /1 jobs in lane standard/, (e) => void Object.assign(e.leftovers ?? {}, { jobs: { standard: 1 } })],
  ['a subscription is left', 'leak', /2 subscriptions/, (e) => void Object.assign(e.leftovers ?? {}, { subscriptions: 2 })],
  ['an actor is left', 'leak', /3 actors/, (e) => void Object.assign(e.leftovers ?? {}, { actors: 3 })],
]

t.test('each fault is found, as what it is', async (t) => {
  for (const [name, kind, what, mutate] of mutations) {
    const evidence = cleanEvidence()
    mutate(evidence)
    const found = check(evidence)
    t.ok(found.some((finding) => finding.kind === kind && what.test(finding.what)), `${name}: ${kind}`, { found })
  }
})

t.test('a fault excuses what it may cause, while it lasts', async (t) => {
  const restarted = cleanEvidence()
  Object.assign(change(restarted, 1), { attempt: 2, from: 0 })
  const about = (evidence: Broken) => check(evidence).filter(({ what }) => what.includes('began anew'))
  t.equal(about(restarted).length, 1)
  const allowance = { restart: true, refusals: ['unavailable'], failures: [], overlap: true }
  restarted.faults.push({ fault: 'edge and bridge killed', from: 1_200, until: 1_300, allowance })
  t.equal(about(restarted).length, 0)
  Object.assign(restarted.faults[0] ?? {}, { from: 7_000, until: 8_000 })
  t.equal(about(restarted).length, 1, 'not another time')

  const refused = cleanEvidence()
  sent(refused, 0).refusals.push('unavailable')
  refused.faults.push({ fault: 'Postgres killed', from: 900, until: 1_100, allowance })
  t.same(check(refused), [])

  const beside = cleanEvidence()
  beside.engine.push({ ...request(beside, 0), startedAt: request(beside, 0).startedAt + 50, resumedAt: 3 })
  beside.faults.push({ fault: 'bridge paused', from: 1_000, until: 1_500, allowance })
  t.same(check(beside), [])
})

t.test('the longest pauses are told', async (t) => {
  const evidence = cleanEvidence()
  t.same(longestPauses(evidence), { reply: 400, acceptance: 5 })
  Object.assign(change(evidence, 7), { at: change(evidence, 7).at + 300 })
  t.equal(longestPauses(evidence).reply, 700)
  t.equal(longestPauses(evidence, 0, 3_500).reply, 400, 'within a span')
  t.equal(conversationId, 1024)
})
