import t from 'tap'
import { expectedText } from '../load-tests/simulated-vllm/reply.ts'
import { startHarness } from './testing/bridge-harness.ts'
import { eventStream, startFakeEngine } from './testing/fake-engine.ts'

const raw = { raw: true }

t.test('a raw prompt goes to the engine without template, system message and history, and survives a broken stream', async (t) => {
  const { owner, engine } = await startHarness(t, { systemPrompt: 'be kind' })
  const question = 'Once upon a time [[tokens=30]]'
  engine.faults.set([{ kind: 'cut', requests: 1, atToken: 12 }])
  const turn = await owner.send({ question, history: [{ user: 'before', reply: 'so' }], params: raw })
  await owner.ended(turn)
  t.equal(turn.text, expectedText(question, 30))
  t.same(engine.requests.map(({ path, resumedAt, resumedIntact }) => [path, resumedAt, resumedIntact]), [['/v1/completions', 0, true], ['/v1/completions', 12, true]])
  t.match(turn.ended, { outcome: { type: 'finished', reason: 'stop' }, usage: { prompt_tokens: engine.requests[0]?.promptTokens, completion_tokens: 31 } })

  const elsewhere = await owner.send({ question, params: raw, resume: { text: turn.text, ids: turn.ids.slice(0, 30) } })
  await owner.ended(elsewhere)
  t.equal(elsewhere.text, turn.text, 'gone on from by another bridge')
})

t.test('a raw prompt that does not fit is too long, and its reply gets what is left of the window', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ maxModelLen: 100 }] })
  const long = await owner.send({ question: 'abcdef '.repeat(200), params: raw })
  await owner.ended(long)
  t.match(long.ended?.outcome, { type: 'failed', error: { code: 'context_too_long' } })
  t.equal(engine.requests.length, 0)
  const fits = await owner.send({ question: 'begin [[tokens=500]]', params: raw })
  await owner.ended(fits)
  t.match(fits.ended?.outcome, { type: 'finished', reason: 'length' })
  t.equal((engine.requests[0]?.promptTokens ?? 0) + (engine.requests[0]?.maxTokens ?? 0), 100)
})

t.test('an engine that tells no ids gets the text', async (t) => {
  const engine = await startFakeEngine(t, [{ id: 'gguf' }], ({ path }) => (path === '/v1/completions' ? eventStream({ choices: [{ index: 0, text: ' there was', finish_reason: 'stop' }] }) : undefined))
  const { owner } = await startHarness(t, { engines: [], endpoints: [engine] })
  const turn = await owner.send({ question: 'Once', params: raw })
  await owner.ended(turn)
  t.equal(turn.text, ' there was')
  t.match(engine.requests.find(({ path }) => path === '/v1/completions')?.body, { prompt: 'Once', add_special_tokens: true })
})
