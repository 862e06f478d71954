import t from 'tap'
import { expectedText, verifyTranscript } from '../load-tests/simulated-vllm/reply.ts'
import { startHarness } from './testing/bridge-harness.ts'

t.test('a turn is answered: begun, streamed, finished, acked', async (t) => {
  const { owner, engine, bridge } = await startHarness(t)
  t.equal(bridge.ready, true)
  const turn = await owner.send({ question: 'hello [[tokens=40]]' })
  await owner.ended(turn)
  t.equal(turn.text, expectedText('hello [[tokens=40]]', 40))
  t.match(turn.ended, { outcome: { type: 'finished', reason: 'stop' }, model: 'simulated', bridge: 'bridge-1', run: 1, cached: false, cost_usd: null, usage: { completion_tokens: 41 } })
  t.equal(turn.ids.length, 41)
  t.equal((turn.ids[40] ?? 0) >>> 31, 1, 'the end of sequence is marked as no text')
  t.equal(turn.ended?.usage?.prompt_tokens, engine.requests[0]?.promptTokens)
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
  t.equal(engine.requests.length, 1)
})
