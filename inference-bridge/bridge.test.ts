import t from 'tap'
import { expectedText, verifyTranscript } from '../load-tests/simulated-vllm/reply.ts'
import { decodeDeltaBatch } from '../protocol/bus/codec.ts'
import { deltasSubject } from '../protocol/bus/subjects.ts'
import { lanes } from '../platform/bus/job-queue.ts'
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

t.test('many turns at once, on two replicas evenly, each with its own text', async (t) => {
  const { owner, engines, bridge } = await startHarness(t, { engines: [{ tokensPerSecond: 1000 }, { tokensPerSecond: 1000 }], concurrency: 20 })
  const turns = await Promise.all(Array.from({ length: 60 }, (_, index) => owner.send({ question: `question ${index} [[tokens=${20 + index}]]`, lane: lanes[index % 3] ?? 'standard' })))
  await Promise.all(turns.map((turn) => owner.ended(turn)))
  for (const [index, turn] of turns.entries()) t.match(verifyTranscript(turn.text, turn.messages[0]?.content ?? '', { tokens: 20 + index }), { ok: true })
  t.equal(engines.reduce((sum, engine) => sum + engine.requests.length, 0), 60)
  t.ok(engines.every((engine) => engine.metrics.peakRunning <= 11 && engine.metrics.peakRunning >= 8), 'as many as there are slots, and evenly')
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('max_tokens ends a reply with length, and a stop string with stop, unseen and untold to the engine', async (t) => {
  const { owner, engine } = await startHarness(t)
  const long = await owner.send({ question: 'long [[tokens=50]]', params: { max_tokens: 20 } })
  await owner.ended(long)
  t.match(long.ended?.outcome, { type: 'finished', reason: 'length' })
  t.equal(long.text, expectedText('long [[tokens=50]]', 20))
  t.equal(long.ids.length, 20)

  const question = 'cut [[tokens=50]]'
  const whole = expectedText(question, 50)
  const stop = whole.slice(40, 49)
  const cut = await owner.send({ question, params: { stop: [stop, 'not there'] } })
  await owner.ended(cut)
  t.match(cut.ended?.outcome, { type: 'finished', reason: 'stop' })
  t.equal(cut.text, whole.slice(0, whole.indexOf(stop)))
  t.ok((cut.ended?.usage?.completion_tokens ?? 0) > 0, 'counted without the engine')
  await engine.until(() => engine.metrics.running === 0)
})

t.test('a stop string is found across a broken stream', async (t) => {
  const { owner, engine } = await startHarness(t)
  const question = 'broken stop [[tokens=50]]'
  const whole = expectedText(question, 50)
  const stop = whole.slice(36, 60)
  for (let at = 8; at < 24; at++) {
    engine.faults.set([{ kind: 'cut', requests: 1, atToken: at }])
    const turn = await owner.send({ question, params: { stop: [stop] } })
    await owner.ended(turn)
    t.equal(turn.text, whole.slice(0, 36), `cut at ${at}`)
    t.match(turn.ended?.outcome, { type: 'finished', reason: 'stop' })
  }
})

t.test('a reply without end stops at the greatest size of a message', async (t) => {
  const { owner, engine } = await startHarness(t, { engines: [{ maxModelLen: 40_000 }] })
  const turn = await owner.send({ question: 'endless [[tokens=30000]]', params: { max_tokens: 30_000 } })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'finished', reason: 'length' })
  t.equal(Buffer.byteLength(turn.text), 32 * 1024)
  t.ok(expectedText('endless [[tokens=30000]]', 30_000).startsWith(turn.text))
  await engine.until(() => engine.metrics.running === 0)
})

t.test('the first delta goes at once, the others together, and a silent turn is heard of', async (t) => {
  const { owner, bus } = await startHarness(t, { engines: [{ tokensPerSecond: 1000, firstTokenMs: 150 }], timing: { deltaFlushMs: 20, beatMs: 100 }, concurrency: 8 })
  const batches: { readonly turnId: string; readonly text: string }[][] = []
  const channel = bus.channel()
  t.teardown(() => channel.close())
  channel.subscribe(deltasSubject('edge-1'), ({ payload }) => {
    batches.push(decodeDeltaBatch(payload).items.map(([turnId, , , text]) => ({ turnId, text })))
  })
  const turns = await Promise.all(Array.from({ length: 8 }, (_, index) => owner.send({ question: `together ${index} [[tokens=200]]` })))
  await Promise.all(turns.map((turn) => owner.ended(turn)))
  t.ok(turns.every((turn) => turn.beats > 0), 'beats before the first token')
  const withText = batches.filter((items) => items.some(({ text }) => text !== ''))
  for (const turn of turns) t.equal(withText.find((items) => items.some(({ turnId }) => turnId === turn.turnId))?.length, 1, 'the first of each alone')
  t.ok(withText.length < 8 * 200 / 10, `${withText.length} batches for ${8 * 200} tokens`)
  t.ok(withText.some((items) => items.length > 3))
})

t.test('a bridge is ready when an engine is, and takes no job before', async (t) => {
  const { owner, engine, bridge } = await startHarness(t, { timing: { probeIntervalMs: 20, fetchWaitMs: 20 } })
  engine.faults.set([{ kind: 'refuse' }])
  const changes: boolean[] = []
  await new Promise<void>((resolve) => {
    const stop = bridge.onReadyChange((ready) => {
      changes.push(ready)
      stop()
      resolve()
    })
  })
  t.same(changes, [false])
  t.equal(bridge.ready, false)
  const turn = await owner.send({ question: 'patience [[tokens=5]]' })
  engine.faults.clear()
  await owner.ended(turn)
  t.equal(bridge.ready, true)
  t.equal(turn.run, 1)
})

t.test('figures of runs, batches and replicas are told', async (t) => {
  const { owner, bridge, metrics } = await startHarness(t)
  await owner.ended(await owner.send({ question: 'figures [[tokens=9]]' }))
  await bridge.drain()
  const text = await metrics.expose()
  t.match(text, /chatterbot_runs_total\{outcome="stop"[^}]*\} 1/)
  t.match(text, /chatterbot_generated_tokens_total\{[^}]*\} 10/)
  t.match(text, /chatterbot_replica_available\{replica="127\.0\.0\.1:\d+"[^}]*\} 1/)
  t.match(text, /chatterbot_replica_in_flight\{[^}]*\} 0/)
  t.match(text, /chatterbot_kept_runs\{[^}]*\} 0/)
  t.match(text, /chatterbot_engine_first_token_seconds_count\{[^}]*\} 1/)
})
