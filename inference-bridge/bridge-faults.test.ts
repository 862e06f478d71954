import t from 'tap'
import { expectedText } from '../load-tests/simulated-vllm/reply.ts'
import type { Fault } from '../load-tests/simulated-vllm/faults.ts'
import { startHarness } from './testing/bridge-harness.ts'

const stallTiming = { firstTokenMs: 1000, interTokenMs: 400 }

/** Faults that break one request, and where the reply stood then. */
const faults: readonly (readonly [name: string, fault: Fault, resumesAt: number | null])[] = [
  ['the connection is reset before any answer', { kind: 'reset', requests: 1 }, null],
  ['the queue is full', { kind: 'http_error', status: 503, requests: 1 }, null],
  ['the engine is shutting down', { kind: 'http_error', status: 500, requests: 1 }, null],
  ['the queue is full, told under status 200', { kind: 'queue_full_in_stream', requests: 1 }, null],
  ['the connection is cut', { kind: 'cut', requests: 1, atToken: 23 }, 23],
  ['the connection is cut before the first token', { kind: 'cut', requests: 1, atToken: 0 }, null],
  ['the connection is cut inside an event', { kind: 'cut', requests: 1, atToken: 23, midFrame: true }, 23],
  ['an error comes in mid-stream', { kind: 'error_event', requests: 1, atToken: 23 }, 23],
  ['[DONE] comes in mid-stream', { kind: 'done_without_finish', requests: 1, atToken: 23 }, 23],
  ['[DONE] comes after the last token, with no finish reason', { kind: 'done_without_finish', requests: 1 }, 60],
  ['the stream stalls in silence', { kind: 'stall', requests: 1, atToken: 23 }, 23],
  ['the stream stalls but for keep-alives', { kind: 'stall', requests: 1, atToken: 23, keepAlive: true }, 23],
  ['no first token comes', { kind: 'stall', requests: 1, atToken: 0, keepAlive: true }, null],
]

for (const [name, fault, resumesAt] of faults) {
  t.test(`${name}: the reply goes on from exactly its tokens`, async (t) => {
    const { owner, engine } = await startHarness(t, { engines: [{ keepAliveMs: 20 }], timing: stallTiming })
    engine.faults.set([fault])
    const question = `once [[tokens=60]] ${name}`
    const turn = await owner.send({ question })
    await owner.ended(turn)
    t.equal(turn.text, expectedText(question, 60))
    t.match(turn.ended, { outcome: { type: 'finished', reason: 'stop' }, usage: { completion_tokens: 61 } })
    t.equal(turn.attempt, 1)
    t.equal(turn.run, 1, 'under the same run')
    t.equal(engine.requests.length, 2)
    const [first, second] = engine.requests
    t.equal(second?.resumedAt, resumesAt ?? 0)
    t.equal(second?.resumedIntact, true)
    t.equal(second?.promptHash, first?.promptHash, 'the same prompt')
    t.equal(second?.maxTokens, 1024 - (resumesAt ?? 0), 'what is left of max_tokens')
    t.equal(second?.overlapping, 0, 'the broken request was over before the next began')
  })
}

t.test('with two replicas the other goes on', async (t) => {
  const { owner, engines } = await startHarness(t, { engines: [{}, {}] })
  for (const engine of engines) engine.faults.set([{ kind: 'cut', atToken: 30 }])
  const question = 'two [[tokens=60]]'
  const turn = await owner.send({ question })
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 60))
  t.same(engines.map((engine) => engine.requests.length), [1, 1])
  t.same(engines.map((engine) => engine.requests[0]?.resumedAt).sort(), [0, 30])
})

t.test('a replica that refuses connections is left out, and used again when it is back', async (t) => {
  const { owner, engines } = await startHarness(t, { engines: [{}, {}] })
  const [first, second] = engines
  first?.faults.set([{ kind: 'refuse' }])
  const turns = await Promise.all(Array.from({ length: 6 }, (_, index) => owner.send({ question: `q${index} [[tokens=10]]` })))
  await Promise.all(turns.map((turn) => owner.ended(turn)))
  t.equal(first?.requests.length, 0)
  t.equal(second?.requests.length, 6)
  first?.faults.clear()
  for (let round = 0; (first?.requests.length ?? 0) === 0 && round < 200; round++) await owner.ended(await owner.send({ question: `again ${round} [[tokens=3]]` }))
  t.ok((first?.requests.length ?? 0) > 0)
})

t.test('a reply that breaks again and again goes on as long as it gets further', async (t) => {
  const { owner, engine } = await startHarness(t, { timing: { breaker: { failures: 1000, openMs: 50, maxOpenMs: 200 } } })
  engine.faults.set([{ kind: 'cut', afterTokens: 3 }])
  const question = 'slowly [[tokens=90]]'
  const turn = await owner.send({ question })
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 90))
  t.ok(engine.requests.length > 20, `${engine.requests.length} requests`)
  t.ok(engine.requests.every(({ resumedIntact }) => resumedIntact))
})

t.test('a reply of characters in several tokens goes on from a whole one, wherever it is cut', async (t) => {
  const { owner, engine } = await startHarness(t)
  for (let cut = 1; cut <= 16; cut++) {
    engine.faults.set([{ kind: 'cut', requests: 1, atToken: cut }])
    const question = `cut ${cut} [[tokens=30]] [[multibyte]]`
    const before = engine.requests.length
    const turn = await owner.send({ question })
    await owner.ended(turn)
    t.equal(turn.text, expectedText(question, 30, { multibyte: true }), `cut at ${cut}`)
    const resumed = engine.requests[before + 1]
    t.ok(resumed?.resumedIntact && resumed.resumedAt <= cut && resumed.resumedAt > cut - 4, `went on from ${resumed?.resumedAt}`)
  }
})

t.test('several tokens a chunk, which may end inside a character, lose nothing and show no more than is certain', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ streamInterval: 5, multibyte: true, tokensPerSecond: 2000 }] })
  for (const cut of [4, 7, 9, 11, 14, 26]) {
    engine.faults.set([{ kind: 'cut', requests: 1, atToken: cut }])
    const question = `several ${cut} [[tokens=40]]`
    const before = engine.requests.length
    const turn = await owner.send({ question })
    await owner.ended(turn)
    t.equal(turn.text, expectedText(question, 40, { multibyte: true }))
    t.ok(engine.requests.slice(before).every(({ resumedIntact }) => resumedIntact))
    t.ok((engine.requests[before + 1]?.resumedAt ?? 0) > 0)
  }
})

t.test('text whose last token is in doubt is shown while the stream goes on, once the engine has told what it says', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ streamInterval: 5, multibyte: true }], timing: { interTokenMs: 60_000 } })
  for (const stalled of [11, 12, 13, 16, 21, 26]) {
    engine.faults.set([{ kind: 'stall', requests: 1, atToken: stalled }])
    const question = `doubt ${stalled} [[tokens=40]]`
    const turn = await owner.send({ question })
    const complete = expectedText(question, stalled, { multibyte: true })
    await owner.until(() => turn.text === complete)
    t.match(await owner.abort(turn), { type: 'aborted', text: complete })
  }
})

t.test('while no engine can be had a turn waits, however often it was looked', async (t) => {
  const { owner, engine, log } = await startHarness(t, {
    timing: { engineRetry: { count: 1, baseMs: 1, maxMs: 1 }, engineWait: { count: 0, baseMs: 1, maxMs: 5 }, breaker: { failures: 1, openMs: 200, maxOpenMs: 200 } },
  })
  engine.faults.set([{ kind: 'http_error', requests: 1 }])
  const question = 'patience [[tokens=20]]'
  const turn = await owner.send({ question })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'finished' })
  t.equal(turn.text, expectedText(question, 20))
  t.equal(log.filter(({ message }) => message === 'waiting for an engine').length, 1, 'said once')
})

t.test('an engine that is lost for good fails the turn honestly, with what it has', async (t) => {
  const { owner, engine, bridge } = await startHarness(t, { timing: { ...stallTiming, engineRetry: { count: 3, baseMs: 1, maxMs: 5 } } })
  engine.faults.set([{ kind: 'stall', requests: 1, atToken: 10 }])
  const question = 'lost [[tokens=50]]'
  const turn = await owner.send({ question })
  await engine.until(() => engine.requests[0]?.tokensSent === 10)
  engine.faults.set([{ kind: 'http_error' }])
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'failed', error: { code: 'engine_unavailable', retryable: true } })
  t.equal(turn.text, expectedText(question, 10))
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('the deadline of a turn ends it in mid-stream, and the engine hears of it', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ tokensPerSecond: 200 }] })
  const question = 'late [[tokens=4000]]'
  const turn = await owner.send({ question, deadlineMs: 250, params: { max_tokens: 3000 } })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'failed', error: { code: 'deadline_exceeded' } })
  t.ok(turn.text.length > 0 && expectedText(question, 4000).startsWith(turn.text))
  await engine.until(() => engine.metrics.running === 0)
  t.equal(engine.requests[0]?.state, 'aborted')
})

t.test('a model that nobody serves fails the turn', async (t) => {
  const { owner } = await startHarness(t)
  const turn = await owner.send({ model: 'other' })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'failed', error: { code: 'model_not_found' } })
})

t.test('ids that stop coming are a failure of that request, not of the reply', async (t) => {
  const { owner, engine, log } = await startHarness(t, { timing: stallTiming })
  engine.faults.set([{ kind: 'stall', requests: 1, atToken: 10 }])
  const question = 'ids [[tokens=30]]'
  const turn = await owner.send({ question })
  await engine.until(() => engine.requests[0]?.tokensSent === 10)
  engine.faults.set([{ kind: 'no_token_ids', requests: 1 }])
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 30))
  t.equal(turn.attempt, 1)
  t.equal(engine.requests.length, 3)
  t.equal(engine.requests[2]?.resumedAt, 10)
  t.match(log.filter(({ message }) => message === 'engine failed').map(({ fields }) => fields['kind']), ['stalled', 'malformed'])
})

t.test('without token ids a broken reply begins anew, as a new attempt, once text of it was shown', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ tokensPerSecond: 500 }] })
  engine.faults.set([{ kind: 'no_token_ids' }, { kind: 'cut', requests: 1, atToken: 20 }])
  const question = 'anew [[tokens=40]]'
  const turn = await owner.send({ question })
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 40))
  t.equal(turn.attempt, 2)
  t.equal(turn.run, 2)
  t.equal(turn.dropped.length, 1)
  t.ok((turn.dropped[0] ?? '').length > 0 && expectedText(question, 40).startsWith(turn.dropped[0] ?? ''))
  t.same(turn.ids, [])
  t.match(turn.ended, { outcome: { type: 'finished', reason: 'stop' }, usage: { completion_tokens: 41 } }, 'counted by the engine')
})

t.test('without token ids a reply that always breaks fails after a few attempts', async (t) => {
  const { owner, engine, bridge } = await startHarness(t, { engines: [{ tokensPerSecond: 500 }] })
  engine.faults.set([{ kind: 'no_token_ids' }, { kind: 'cut', atToken: 10 }])
  const turn = await owner.send({ question: 'never [[tokens=40]]' })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'failed', error: { code: 'engine_unavailable' } })
  t.equal(turn.attempt, 3)
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})
