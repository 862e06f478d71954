import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import t, { type Test } from 'tap'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { vllmFixture } from '../testing/fixtures.ts'
import { EngineClient } from './client.ts'
import { EngineFailure } from './failure.ts'
import type { StreamChunk } from './stream-chunk.ts'

const timing = { firstTokenMs: 5000, interTokenMs: 5000, jsonTimeoutMs: 2000 }
const sampling = { maxTokens: 10, temperature: 0, topP: 1, seed: null, presencePenalty: 0, frequencyPenalty: 0 }
const question = [{ role: 'user', content: 'hello' }] as const

interface FakeEngine {
  readonly client: EngineClient
  connections(): number
}

async function fakeEngine(t: Test, answer: (request: IncomingMessage, response: ServerResponse, body: string) => void, deadlines = timing): Promise<FakeEngine> {
  let connections = 0
  const server = createServer((request, response) => {
    let body = ''
    request.on('data', (piece: Buffer) => (body += piece.toString()))
    request.on('end', () => answer(request, response, body))
  })
  server.on('connection', () => (connections += 1))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = new EngineClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` }, deadlines)
  t.teardown(async () => {
    client.close()
    // Resolves only once every connection has been closed.
    await new Promise((resolve) => server.close(resolve))
  })
  return { client, connections: () => connections }
}

function sse(response: ServerResponse, bytes: Buffer | string): void {
  response.writeHead(200, { 'content-type': 'text/event-stream; charset=utf-8' })
  response.end(bytes)
}

async function text(client: EngineClient): Promise<{ readonly text: string; readonly end: object }> {
  const chunks: StreamChunk[] = []
  const stream = client.streamChat('m', question, sampling, (chunk) => chunks.push(chunk))
  const end = await stream.done
  return { text: chunks.map((chunk) => chunk.text).join(''), end }
}

t.test('recorded answers end as what they are', async (t) => {
  let name = ''
  let status = 200
  const { client, connections } = await fakeEngine(t, (_request, response) => {
    if (status === 200) return sse(response, vllmFixture(name))
    response.writeHead(status, { 'content-type': 'application/json' })
    response.end(vllmFixture(name))
  })
  const expected: readonly (readonly [fixture: string, status: number, end: object])[] = [
    ['chat_stream_plain.sse', 200, { type: 'finished', reason: 'length' }],
    ['chat_stream_length.sse', 200, { type: 'finished', reason: 'length' }],
    ['chat_stream_usage_ids.sse', 200, { type: 'finished', reason: 'stop' }],
    ['chat_stream_continuous_usage.sse', 200, { type: 'finished', reason: 'length' }],
    ['resume_completions_cut50.sse', 200, { type: 'finished', reason: 'length' }],
    ['sse_keepalive_queued.sse', 200, { type: 'finished', reason: 'length' }],
    ['err_queue_full_stream.sse', 503, { type: 'failed', failure: { kind: 'unavailable', status: 503, retryable: true } }],
    ['overflow_chat_stream.json', 400, { type: 'failed', failure: { kind: 'too_long', retryable: false } }],
    ['overflow_prompt_eq_max.json', 400, { type: 'failed', failure: { kind: 'too_long', retryable: false } }],
    ['overflow_completions.json', 400, { type: 'failed', failure: { kind: 'too_long', retryable: false } }],
    ['err_unknown_model.json', 404, { type: 'failed', failure: { kind: 'rejected', status: 404, retryable: false } }],
    ['err_bad_json_field.json', 400, { type: 'failed', failure: { kind: 'rejected', status: 400, retryable: false } }],
  ]
  for (const [fixture, code, end] of expected) {
    name = fixture
    status = code
    t.match((await text(client)).end, end, fixture)
  }
  // The end of a chunked body may come in a read of its own, after the next request began.
  t.ok(connections() <= 3, `whole answers leave their connection for the next request: ${connections()}`)
  status = 200
  name = 'err_queue_full_race_http200.sse'
  t.match((await text(client)).end, { type: 'failed', failure: { kind: 'unavailable', status: 503, retryable: true } })
  name = 'sigterm_stream_timeout0.sse'
  t.match((await text(client)).end, { type: 'failed', failure: { kind: 'unavailable', status: 500, retryable: true } })
})

t.test('statuses are final or not, whatever the body', async (t) => {
  let status = 0
  const { client } = await fakeEngine(t, (_request, response) => {
    response.writeHead(status)
    response.end('<html>no JSON</html>')
  })
  for (const [code, retryable] of [[400, false], [401, false], [404, false], [408, true], [422, false], [429, true], [500, true], [502, true], [503, true], [529, true], [302, true]] as const) {
    status = code
    const { end } = await text(client)
    t.match(end, { type: 'failed', failure: { status: code, retryable } })
  }
})

t.test('finish reasons that are no success, none, and streams that are none', async (t) => {
  let body = ''
  const { client } = await fakeEngine(t, (_request, response) => sse(response, body))
  const finish = (reason: string): string => `data: {"choices":[{"delta":{"content":"a"},"finish_reason":${reason}}]}\n\ndata: [DONE]\n\n`
  for (const [stream, kind] of [
    [finish('"abort"'), 'incomplete'],
    [finish('"error"'), 'incomplete'],
    [finish('"tool_calls"'), 'incomplete'],
    [finish('null'), 'incomplete'],
    ['data: [DONE]\n\n', 'incomplete'],
    ['', 'incomplete'],
    ['not a stream', 'incomplete'],
    ['data: {"choices":[{"delta":{"content":"a"}\n\n', 'malformed'],
    [`data: ${'x'.repeat(5 * 1024 * 1024)}`, 'malformed'],
  ] as const) {
    body = stream
    t.match((await text(client)).end, { type: 'failed', failure: { kind, retryable: true } }, stream.slice(0, 80))
  }
  body = 'data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n'
  t.match(await text(client), { text: 'a', end: { type: 'finished', reason: 'stop' } }, 'a finish reason is enough, [DONE] is not needed')
  body = `${finish('"stop"')}data: {"choices":[{"delta":{"content":"more"}}]}\n\n`
  t.match(await text(client), { text: 'a' }, 'nothing counts after [DONE]')
})

t.test('a connection that breaks after the finish reason has lost nothing', async (t) => {
  const { client } = await fakeEngine(t, (_request, response) => {
    response.writeHead(200, { 'content-type': 'text/event-stream' })
    response.write('data: {"choices":[{"delta":{"content":"a"},"finish_reason":"stop"}]}\n\n', () => response.destroy())
  })
  t.match(await text(client), { text: 'a', end: { type: 'finished', reason: 'stop' } })
})

t.test('keep-alives are no progress: first and further tokens have their deadlines', async (t) => {
  let tokens = 0
  const closed: Promise<void>[] = []
  const { client } = await fakeEngine(
    t,
    (_request, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      for (let index = 0; index < tokens; index++) response.write('data: {"choices":[{"delta":{"content":"a"}}]}\n\n')
      const timer = setInterval(() => response.write(': keep-alive\n\n'), 10)
      closed.push(
        new Promise((resolve) => {
          response.on('close', () => {
            clearInterval(timer)
            resolve()
          })
        }),
      )
    },
    { firstTokenMs: 400, interTokenMs: 200, jsonTimeoutMs: 1000 },
  )
  const noToken = await text(client)
  t.match(noToken.end, { type: 'failed', failure: { kind: 'stalled', message: 'no token within 400 ms', retryable: true } })
  tokens = 3
  const noMore = await text(client)
  t.match(noMore, { text: 'aaa', end: { type: 'failed', failure: { kind: 'stalled', message: 'no further token within 200 ms' } } })
  await Promise.all(closed)
  t.equal(closed.length, 2, 'both were closed towards the engine')
})

t.test('abort closes the connection at once, also before anything was sent', async (t) => {
  const engine = await startSimulatedVllm({ tokensPerSecond: 100 })
  const client = new EngineClient({ url: engine.url }, timing)
  let abort = (): void => undefined
  let chunks = 0
  const stream = client.streamChat('simulated', [{ role: 'user', content: '[[tokens=1000]]' }], { ...sampling, maxTokens: 1000 }, () => {
    chunks += 1
    if (chunks === 5) abort()
  })
  abort = () => stream.abort()
  t.match(await stream.done, { type: 'aborted' })
  t.equal(chunks, 5)
  await engine.until(() => engine.metrics.running === 0)
  t.equal(engine.requests[0]?.state, 'aborted')
  const early = client.streamChat('simulated', question, sampling, () => t.fail('no chunk after abort'))
  early.abort()
  t.match(await early.done, { type: 'aborted' })
  await engine.until(() => engine.metrics.running + engine.metrics.waiting === 0)
  client.close()
  await engine.close()
})

t.test('models, counts and texts of the simulated and of recorded engines', async (t) => {
  const engine = await startSimulatedVllm({ maxModelLen: 512 })
  const client = new EngineClient({ url: engine.url }, timing)
  t.same(await client.models(), [{ id: 'simulated', maxModelLength: 512, revision: 'simulated' }])
  const ids = await client.tokenizeText('simulated', 'some text')
  t.ok((ids?.length ?? 0) > 0)
  t.equal(await client.detokenize('simulated', ids ?? []), 'some text')
  const prompt = await client.tokenizeChat('simulated', question)
  const stream = client.streamChat('simulated', question, sampling, (chunk) => {
    if (chunk.promptIds !== null) t.same(chunk.promptIds, prompt, 'the prompt of a chat is what /tokenize says')
  })
  await stream.done
  client.close()
  await engine.close()

  const answers: Record<string, string> = { '/v1/models': 'models_with_lora.json', '/tokenize': 'tokenize_chat.json', '/detokenize': 'detokenize.json' }
  const recorded = await fakeEngine(t, (request, response) => response.end(vllmFixture(answers[request.url ?? ''] ?? 'models.json')))
  t.same(await recorded.client.models(), [{ id: 'smollm2-135m', maxModelLength: 2048, revision: 'model' }, { id: 'demo', maxModelLength: 2048, revision: 'lora-zero' }], 'an adapter has the window of its parent')
  t.equal((await recorded.client.tokenizeChat('smollm2-135m', question))?.length, 37)
  t.equal(await recorded.client.detokenize('smollm2-135m', [1]), 'Hello world')
})

t.test('engines with fewer abilities: no /tokenize, or one of another kind', async (t) => {
  const ollama = await fakeEngine(t, (request, response) => {
    if (request.url === '/v1/models') return response.end(JSON.stringify({ object: 'list', data: [{ id: 'llama2:latest', object: 'model', owned_by: 'library' }] }))
    response.writeHead(404)
    return response.end('404 page not found')
  })
  t.same(await ollama.client.models(), [{ id: 'llama2:latest', maxModelLength: null, revision: null }])
  t.equal(await ollama.client.tokenizeChat('llama2:latest', question), null)
  t.equal(await ollama.client.detokenize('llama2:latest', [1]), null)
  const llamaCpp = await fakeEngine(t, (_request, response) => response.end(JSON.stringify({ tokens: [] })))
  t.equal(await llamaCpp.client.tokenizeText('m', 'text'), null)
})

t.test('calls that are not answered, and answers that are none, are failures', async (t) => {
  const fails = async (call: Promise<unknown>, kind: string): Promise<void> => {
    const error = await call.then(() => null, (reason: unknown) => reason)
    t.ok(error instanceof EngineFailure && error.kind === kind, kind)
  }
  const hanging = await fakeEngine(t, () => undefined, { ...timing, jsonTimeoutMs: 50 })
  await fails(hanging.client.models(), 'unavailable')
  const controller = new AbortController()
  const aborted = hanging.client.models(controller.signal)
  controller.abort()
  await fails(aborted, 'unavailable')
  const odd = await fakeEngine(t, (_request, response) => response.end('[]'))
  await fails(odd.client.models(), 'malformed')
  const endless = await fakeEngine(t, (_request, response) => response.end(' '.repeat(9 * 1024 * 1024)))
  await fails(endless.client.models(), 'malformed')
  const closed = new EngineClient({ url: 'http://127.0.0.1:9' }, timing)
  await fails(closed.models(), 'unavailable')
  closed.close()
})
