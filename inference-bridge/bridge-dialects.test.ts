import t from 'tap'
import { startHarness } from './testing/bridge-harness.ts'
import { chatChunk, eventStream, startFakeEngine } from './testing/fake-engine.ts'

t.test('parameters are passed on, defaults given, the system prompt leads, and nothing secret is logged', async (t) => {
  const engine = await startFakeEngine(t, [{ id: 'strict', max_model_len: 4096 }], () =>
    eventStream(chatChunk('', { promptIds: [5, 6] }), chatChunk('a\u0000b', { ids: [1] }), chatChunk('', { ids: [2], finish: 'stop' })),
  )
  const { owner, log } = await startHarness(t, { engines: [], endpoints: [{ url: engine.url, apiKey: 'sk-very-secret' }], systemPrompt: 'be kind', maxTokens: 77 })
  const plain = await owner.send({ question: 'plain question' })
  await owner.ended(plain)
  const always = { stream: true, stream_options: { include_usage: true }, return_token_ids: true }
  t.same(engine.requests[0]?.body, {
    model: 'strict',
    messages: [{ role: 'system', content: 'be kind' }, { role: 'user', content: 'plain question' }],
    max_tokens: 77,
    temperature: 0,
    top_p: 1,
    ...always,
  })
  t.equal(plain.text, 'a\ufffdb', 'U+0000 cannot be stored')
  const own = await owner.send({ question: 'own question', system: 'be brief', params: { temperature: 0.5, top_p: 0.9, max_tokens: 5, seed: 42, stop: ['x'], presence_penalty: 0.5, frequency_penalty: -1 } })
  await owner.ended(own)
  t.same(engine.requests[1]?.body, {
    model: 'strict',
    messages: [{ role: 'system', content: 'be brief' }, { role: 'user', content: 'own question' }],
    max_tokens: 5,
    temperature: 0.5,
    top_p: 0.9,
    seed: 42,
    presence_penalty: 0.5,
    frequency_penalty: -1,
    ...always,
  })
  t.ok(engine.requests.every(({ authorization }) => authorization === 'Bearer sk-very-secret'))
  for (const secret of ['sk-very-secret', 'question', 'be kind', 'be brief']) t.notOk(JSON.stringify(log).includes(secret), `${secret} is not logged`)
})

t.test('a refusal is final, and its words, which may quote the prompt, are neither shown nor logged', async (t) => {
  const engine = await startFakeEngine(t, [{ id: 'm', max_model_len: 4096 }], ({ body }) => ({
    status: 422,
    body: JSON.stringify({ error: { message: `input: ${JSON.stringify(body['messages'])}`, type: 'UnprocessableEntityError', param: 'messages', code: 422 } }),
  }))
  const { owner, log } = await startHarness(t, { engines: [], endpoints: [engine] })
  const turn = await owner.send({ question: 'something private' })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'failed', error: { code: 'engine_rejected', retryable: false } })
  t.notOk(JSON.stringify([log, turn.ended]).includes('private'))
  t.match(log.find(({ message }) => message === 'engine failed')?.fields, { kind: 'rejected', reason: '422 UnprocessableEntityError: param messages' })
  t.equal(engine.requests.length, 1)
})

const history = Array.from({ length: 6 }, (_, index) => ({ user: `question ${index}`, reply: `answer ${index}` }))

t.test("llama.cpp's server: no ids, no counts, and an overflow drops the oldest exchanges until the prompt fits", async (t) => {
  const engine = await startFakeEngine(t, [{ id: 'gguf', meta: { n_ctx_train: 4096 } }], ({ path, body }) => {
    if (path === '/tokenize') return { body: JSON.stringify({ tokens: [] }) }
    if (path !== '/v1/chat/completions') return undefined
    const messages = body['messages'] as { content: string }[]
    if (messages.length > 7) return { status: 400, body: JSON.stringify({ error: { code: 400, message: 'the request exceeds the available context size', type: 'exceed_context_size_error', n_prompt_tokens: 99, n_ctx: 50 } }) }
    return eventStream(chatChunk(null), chatChunk('Hello'), chatChunk(' there'), chatChunk(null, { finish: 'stop' }), { choices: [], usage: { prompt_tokens: 40, completion_tokens: 2, total_tokens: 42 } })
  })
  const { owner, bridge } = await startHarness(t, { engines: [], endpoints: [engine] })
  const turn = await owner.send({ question: 'now', history })
  await owner.ended(turn)
  t.equal(turn.text, 'Hello there')
  t.match(turn.ended, { outcome: { type: 'finished', reason: 'stop' }, usage: { prompt_tokens: 40, completion_tokens: 2 } })
  t.same(turn.ids, [])
  const sent = engine.requests.filter(({ path }) => path === '/v1/chat/completions').map(({ body }) => (body['messages'] as { content: string }[]).map(({ content }) => content))
  t.same(sent.map((messages) => messages.length), [13, 11, 9, 7])
  t.same(sent[3], ['question 3', 'answer 3', 'question 4', 'answer 4', 'question 5', 'answer 5', 'now'])
  await bridge.drain()
  t.equal(await owner.jobsLeft(), 0)
})

t.test('a question that no engine takes, even alone, is too long', async (t) => {
  const engine = await startFakeEngine(t, [{ id: 'm' }], ({ path }) =>
    path === '/v1/chat/completions' ? { status: 400, body: JSON.stringify({ error: { message: 'too long', type: 'BadRequestError', param: 'input_tokens', code: 400 } }) } : undefined,
  )
  const { owner } = await startHarness(t, { engines: [], endpoints: [engine] })
  const turn = await owner.send({ question: 'now', history: history.slice(0, 2) })
  await owner.ended(turn)
  t.match(turn.ended?.outcome, { type: 'failed', error: { code: 'context_too_long', retryable: false } })
  t.equal(engine.requests.filter(({ path }) => path === '/v1/chat/completions').length, 3)
  const counted = await startFakeEngine(t, [{ id: 'm', max_model_len: 100 }], ({ path }) => (path === '/tokenize' ? { body: JSON.stringify({ count: 90, tokens: Array.from({ length: 90 }, () => 1) }) } : undefined))
  const second = await startHarness(t, { engines: [], endpoints: [counted] })
  const long = await second.owner.send({ question: 'x'.repeat(500), system: 'be kind' })
  await second.owner.ended(long)
  t.match(long.ended?.outcome, { type: 'failed', error: { code: 'context_too_long' } })
  t.ok(counted.requests.every(({ path }) => path === '/tokenize'), 'known before it is sent')
})

t.test('a reply whose prompt had to be cut after all goes on elsewhere under the same prompt', async (t) => {
  // Its tokenizer finds long messages cheap by themselves and dear in a chat, as no true one does.
  const tokens = (count: number): { body: string } => ({ body: JSON.stringify({ count, tokens: Array.from({ length: count }, (_, index) => index) }) })
  const sizeOf = (messages: unknown): number => (messages as { content: string }[]).reduce((sum, { content }) => sum + (content.length > 1 ? 30 : 1), 0)
  const engine = await startFakeEngine(t, [{ id: 'm', max_model_len: 100 }], ({ path, body }) => {
    if (path === '/tokenize') return tokens(body['messages'] === undefined ? 1 : sizeOf(body['messages']))
    if (path === '/v1/completions') return eventStream({ choices: [{ index: 0, text: ' two', token_ids: [8], finish_reason: 'length' }] })
    const size = sizeOf(body['messages'])
    if (size >= 100) return { status: 400, body: JSON.stringify({ error: { message: 'too long', type: 'BadRequestError', param: 'input_tokens', code: 400 } }) }
    return eventStream(chatChunk('', { promptIds: Array.from({ length: size }, (_, index) => index) }), chatChunk('one', { ids: [7] }))
  })
  const { owner } = await startHarness(t, { engines: [], endpoints: [engine], maxTokens: 10 })
  const inRun = await owner.send({ question: 'now', history: history.slice(0, 3) })
  await owner.ended(inRun)
  t.equal(inRun.text, 'one two')
  const elsewhere = await owner.send({ question: 'now', history: history.slice(0, 3), resume: { text: 'one', ids: [7] } })
  await owner.ended(elsewhere)
  t.equal(elsewhere.text, 'one two')
  const continued = engine.requests.filter(({ path }) => path === '/v1/completions').map(({ body }) => body)
  t.equal(continued.length, 2)
  t.same(continued[0], continued[1])
  t.match(continued[0]?.['prompt'], { length: 91 })
  t.match(continued[0], { model: 'm', add_special_tokens: false, max_tokens: 9, temperature: 0, top_p: 1, stream: true, return_token_ids: true })
})
