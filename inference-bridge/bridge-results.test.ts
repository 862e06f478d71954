import t from 'tap'
import { expectedText } from '../load-tests/simulated-vllm/reply.ts'
import { startRedisServer } from '../tests/harness/redis-server.ts'
import { busVersion } from '../protocol/bus/subjects.ts'
import type { Cache } from '../platform/cache/cache.ts'
import { MemoryCache } from '../platform/cache/memory/memory-cache.ts'
import { RedisCache } from '../platform/cache/redis/redis-cache.ts'
import { newConnection, startConnection } from '../platform/redis/testing/redis.ts'
import { startHarness, type Harness } from './testing/bridge-harness.ts'
import type { NewTurn, OwnerScript, ScriptedTurn } from './testing/scripted-owner.ts'

const newResults = (cache: Cache = new MemoryCache({ maxBytes: 1024 * 1024 })) => ({ cache, ttlMs: 60_000 })

async function answered({ owner }: Harness, given: NewTurn): Promise<ScriptedTurn> {
  const turn = await owner.send(given)
  await owner.ended(turn)
  return turn
}

t.test('the same question at temperature 0 is answered once by the engine, and then marked as cached', async (t) => {
  const harness = await startHarness(t, { results: newResults() })
  const { engine, bridge, owner } = harness
  const question = 'again [[tokens=40]]'
  const [first, second] = [await answered(harness, { question }), await answered(harness, { question })]
  t.match([first.ended?.cached, second.ended?.cached], [false, true])
  for (const turn of [first, second]) {
    t.equal(turn.text, expectedText(question, 40))
    t.match(turn.ended, { outcome: { type: 'finished', reason: 'stop' }, model: 'simulated', run: 1, usage: { prompt_tokens: engine.requests[0]?.promptTokens, completion_tokens: 41 } })
  }
  t.equal(second.deltas, 0, 'nothing of it shows before its finish, so that nothing can be left half shown')
  t.equal(engine.requests.length, 1)
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('another history, system prompt, model parameter or stop string is another question; a chance of another reply is never kept', async (t) => {
  const harness = await startHarness(t, { results: newResults() })
  const question = 'which [[tokens=30]]'
  const whole = expectedText(question, 30)
  const variants: NewTurn[] = [
    {},
    { history: [{ user: 'before', reply: 'this' }] },
    { system: 'Be brief.' },
    { params: { max_tokens: 10 } },
    { params: { seed: 7 } },
    { params: { top_p: 0.9 } },
    { params: { stop: [whole.slice(20, 29)] } },
  ]
  for (const variant of variants) t.equal((await answered(harness, { question, ...variant })).ended?.cached, false)
  for (const variant of variants) t.equal((await answered(harness, { question, ...variant })).ended?.cached, true)
  t.equal(harness.engine.requests.length, variants.length)
  const cut = await answered(harness, { question, params: { stop: [whole.slice(20, 29)] } })
  t.equal(cut.text, whole.slice(0, 20))
  const long = await answered(harness, { question, params: { max_tokens: 10 } })
  t.match(long.ended, { cached: true, outcome: { reason: 'length' } })
  for (let n = 0; n < 2; n += 1) t.equal((await answered(harness, { question, params: { temperature: 0.1 } })).ended?.cached, false)
})

t.test('a reply that is not complete, or whose end was not committed, is not kept', async (t) => {
  let drops = false
  const script: OwnerScript = { finish: () => (drops ? { v: busVersion, type: 'abort' } : undefined) }
  const harness = await startHarness(t, { results: newResults(), engines: [{ tokensPerSecond: 200 }], script })
  const { owner, engine } = harness
  const aborted = await owner.send({ question: 'aborted [[tokens=60]]' })
  await owner.until(() => aborted.text !== '')
  await owner.abort(aborted)
  t.not(aborted.text, expectedText('aborted [[tokens=60]]', 60))
  await engine.until(() => engine.metrics.running === 0)
  t.match(await answered(harness, { question: 'aborted [[tokens=60]]' }), { text: expectedText('aborted [[tokens=60]]', 60), ended: { cached: false } })

  t.match((await answered(harness, { question: 'late [[tokens=500]]', deadlineMs: 300 })).ended?.outcome, { type: 'failed' })
  t.match((await answered(harness, { question: 'late [[tokens=500]]', deadlineMs: 300 })).ended, { cached: false, outcome: { type: 'failed' } })

  drops = true
  const dropped = await owner.send({ question: 'dropped [[tokens=5]]' })
  await owner.until(() => dropped.finishes.length === 1)
  drops = false
  t.match(await answered(harness, { question: 'dropped [[tokens=5]]' }), { ended: { cached: false } })
})

t.test('a run that goes on from shown text generates its rest, and keeps nothing', async (t) => {
  const harness = await startHarness(t, { results: newResults() })
  const question = 'resumed [[tokens=30]]'
  const whole = await answered(harness, { question })
  const shown = whole.ids.slice(0, 10)
  const text = await (async () => {
    const { engine } = harness
    const answer = await fetch(`${engine.url}/detokenize`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'simulated', tokens: shown }) })
    return ((await answer.json()) as { prompt: string }).prompt
  })()
  const resumed = await answered(harness, { question, resume: { text, ids: shown } })
  t.equal(resumed.text, whole.text)
  t.equal(resumed.ended?.cached, false)
  t.equal(harness.engine.requests.filter(({ path }) => path === '/v1/completions').length, 1)
})

t.test('a reply whose engine broke off is kept as it was completed, and an engine of other weights does not answer from it', async (t) => {
  const results = newResults()
  const harness = await startHarness(t, { results })
  const question = 'broken [[tokens=40]]'
  harness.engine.faults.set([{ kind: 'cut', requests: 1, atToken: 12 }])
  t.match(await answered(harness, { question }), { text: expectedText(question, 40), ended: { cached: false } })
  t.match(await answered(harness, { question }), { text: expectedText(question, 40), ended: { cached: true } })
  const other = await startHarness(t, { results, engines: [{ model: 'other' }] })
  t.equal((await answered(other, { question })).ended?.cached, false)
})

t.test('bridges share results through Redis, whatever lies there, and go on without it', async (t) => {
  const redis = await startRedisServer(t)
  const [one, two] = [await startConnection(t, redis.url), newConnection(t, redis.url)]
  await two.connection.start()
  const [first, second] = [await startHarness(t, { results: newResults(new RedisCache(one.connection)) }), await startHarness(t, { results: newResults(new RedisCache(two.connection)) })]
  const question = 'shared [[tokens=20]]'
  t.equal((await answered(first, { question })).ended?.cached, false)
  t.match(await answered(second, { question }), { text: expectedText(question, 20), ended: { cached: true } })
  const keys = await one.connection.request(0, (client) => client.keys('chatterbot:cache:result:*'))
  t.equal(keys.length, 1)
  const key = keys[0] ?? ''
  await one.connection.request(0, (client) => client.set(key, 'garbage'))
  t.match(await answered(second, { question }), { text: expectedText(question, 20), ended: { cached: false } })
  t.equal((await answered(first, { question })).ended?.cached, true)
  redis.signal('SIGSTOP')
  for (let n = 0; n < 5; n += 1) t.match(await answered(first, { question }), { text: expectedText(question, 20), ended: { cached: false } })
  await redis.kill()
  t.match(await answered(second, { question }), { text: expectedText(question, 20), ended: { cached: false } })
})

t.test('a run that is stopped while its result is looked for is stopped', async (t) => {
  let found = (): void => undefined
  const memory = new MemoryCache({ maxBytes: 1024 * 1024 })
  let slow = false
  let reached = (): void => undefined
  const reaches = new Promise<void>((resolve) => (reached = resolve))
  const cache: Cache = {
    get: async (key) => {
      if (!slow) return memory.get(key)
      reached()
      await new Promise<void>((resolve) => (found = resolve))
      return memory.get(key)
    },
    put: (key, bytes, ttlMs) => memory.put(key, bytes, ttlMs),
    delete: (key) => memory.delete(key),
  }
  const harness = await startHarness(t, { results: newResults(cache) })
  const question = 'stopped [[tokens=20]]'
  await answered(harness, { question })
  slow = true
  const turn = await harness.owner.send({ question })
  await reaches
  t.match(await harness.owner.abort(turn), { type: 'aborted', text: '' })
  found()
  await harness.bridge.drain()
  t.equal(turn.finishes.length, 0)
  t.equal(harness.engine.requests.length, 1)
})
