/** OpenAI's own clients, as their users have them, against the whole server. */
import path from 'node:path'
import OpenAI from 'openai'
import t, { type Test } from 'tap'
import { chatChunk, eventStream, startFakeEngine } from '../../inference-bridge/testing/fake-engine.ts'
import { expectedText } from '../../load-tests/simulated-vllm/reply.ts'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import { runProgram } from '../harness/processes.ts'
import { openAiPython } from '../harness/python-programs.ts'
import { repositoryRoot } from '../harness/repository.ts'
import { dataFolder, startStandalone } from '../e2e/standalone-process.ts'

t.setTimeout(120_000)

type Told = Readonly<Record<string, unknown>>
const calls = [
  { name: 'get_weather', arguments: '{"city": "Paris"}' },
  { name: 'get_weather', arguments: '{"city": "Rome"}' },
]

async function startServer(t: Test) {
  const engine = await startSimulatedVllm({ tokensPerSecond: 2_000 })
  t.teardown(() => engine.close())
  const toolUser = await startFakeEngine(t, [{ id: 'tools', max_model_len: 4096 }], ({ path: asked, body }) => {
    if (asked !== '/v1/chat/completions') return undefined
    if (JSON.stringify(body['messages']).includes('<tool_response>')) return eventStream(chatChunk('Sunny.'), chatChunk('', { finish: 'stop' }))
    const said = `I ask.\n${calls.map((call) => `<tool_call>\n{"name": "${call.name}", "arguments": ${call.arguments}}\n</tool_call>`).join('\n')}`
    return eventStream(...(said.match(/[^]{1,7}/g) ?? []).map((piece) => chatChunk(piece)), chatChunk('', { finish: 'stop' }))
  })
  const broken = await startFakeEngine(t, [{ id: 'broken', max_model_len: 4096 }], () => ({ status: 422, body: '{"error": {"message": "no", "type": "x", "param": null, "code": 422}}' }))
  const server = await startStandalone(t, { CHATTERBOT_DATA_DIR: dataFolder(t), CHATTERBOT_ENGINE_URL: [engine, toolUser, broken].map(({ url }) => url).join(',') })
  return { engine, toolUser, url: server.ready.url }
}

t.test("OpenAI's clients work unchanged", async (t) => {
  const started = await startServer(t)
  await t.test('the one for Python', (t) => python(t, started))
  await t.test('the one for Node', (t) => node(t, started))
})

type Started = Awaited<ReturnType<typeof startServer>>

async function python(t: Test, { engine, toolUser, url }: Started): Promise<void> {
  const { code, output } = await runProgram({ command: await openAiPython(), args: [path.join(repositoryRoot(), 'tests/openai/sdk.py'), url], env: { PYTHONUTF8: '1' } })
  t.equal(code, 0, output)
  const told = new Map(output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line) as Told).map((each) => [each['case'], each]))
  const of = (name: string): Told => told.get(name) ?? {}

  t.same(of('models'), { case: 'models', ids: ['simulated', 'tools', 'broken'], one: 'simulated' })
  t.match(of('chat'), { id: /^chatcmpl-[0-9a-f-]{36}$/, object: 'chat.completion', model: 'simulated', text: expectedText('whole [[tokens=12]]', 12), role: 'assistant', finish: 'stop', usage: { completion_tokens: 13 }, request: /^[0-9a-f-]{36}$/ })
  t.match(of('stream'), { text: expectedText('streamed [[tokens=40]]', 40), first: 'assistant', finish: 'stop', ids: 1, models: ['simulated'], usage: { completion_tokens: 41 }, last: [] })
  const usage = of('stream')['usage'] as Record<string, number>
  t.equal(usage['total_tokens'], (usage['prompt_tokens'] ?? 0) + 41)
  t.match(of('stream_helper'), { text: expectedText('helped [[tokens=30]]', 30), finish: 'stop', done: 1, deltas: true })
  const { whole, mark, text, short } = of('stop') as Record<string, string>
  t.equal(text, whole?.slice(0, whole.indexOf(mark ?? '')))
  t.equal(short, expectedText('stopped [[tokens=40]]', 5))
  t.match(of('stop'), { finish: 'stop', length: 'length' })
  const story = expectedText('Once upon a time [[tokens=20]]', 20)
  t.match(of('completions'), { object: 'text_completion', text: story, finish: 'stop', usage: 21, streamed: story, end: 'stop' })
  t.ok(engine.requests.some(({ path: asked, resumedAt }) => asked === '/v1/completions' && resumedAt === 0), 'without chat template')

  const refused = (param: string | null, code = 'unsupported_parameter') => ({ class: 'BadRequestError', status: 400, type: 'invalid_request_error', param, code })
  t.match(of('errors'), {
    model: { class: 'NotFoundError', status: 404, code: 'model_not_found', param: 'model' },
    n: refused('n'),
    logprobs: refused('logprobs'),
    format: refused('response_format'),
    choice: refused('tool_choice'),
    suffix: refused('suffix'),
    temperature: refused('temperature', 'invalid_field'),
    image: refused('messages[0].content[0].type', 'invalid_field'),
    last: refused('messages', 'invalid_field'),
    long: { class: 'APIStatusError', status: 413, code: 'string_above_max_length', param: 'messages[0].content' },
    window: { class: 'BadRequestError', status: 400, code: 'context_length_exceeded' },
    retrieve: { class: 'NotFoundError', code: 'model_not_found' },
    embeddings: { class: 'NotFoundError', code: 'not_found' },
    conversation: { class: 'NotFoundError', code: 'conversation_not_found' },
  })

  t.match(of('tools'), {
    text: 'I ask.',
    finish: 'tool_calls',
    calls: calls.map((call) => ({ type: 'function', id: /^call_[0-9a-f]{33}$/, function: call })),
    streamed: calls.map((call, index) => ({ ...call, index })),
    end: 'tool_calls',
    helped: calls.map((call) => call.arguments),
    final: 'Sunny.',
  })
  const messages = toolUser.requests.at(-1)?.body['messages'] as { role: string; content: string }[]
  t.same(messages.map(({ role }) => role), ['system', 'user', 'assistant', 'user'])
  t.match(messages[0]?.content, /^Be brief\.\n\n# Tools[^]*\{"type": "function", "function": \{"name": "get_weather", "description": "The weather now", "parameters": \{"type": "object"/)
  t.match(messages[2]?.content, /^I ask\.\n<tool_call>\n\{"name": "get_weather", "arguments": \{"city": "Paris"\}\}\n<\/tool_call>\n<tool_call>/)
  t.equal(messages[3]?.content, '<tool_response>\nsunny\n</tool_response>\n<tool_response>\nsunny\n</tool_response>')

  const { conversation, tokens } = of('store') as { conversation: number; tokens: [number, number] }
  t.match(of('store'), { metadata: { conversation_id: String(conversation) }, first: expectedText('kept [[tokens=5]]', 5), again: expectedText('kept on [[tokens=5]]', 5) })
  t.ok(tokens[1] > tokens[0], 'with what was said before')
  const listed = (await (await fetch(`${url}/conversations`, { headers: { 'X-User-Id': 'openai' } })).json()) as { conversations: { conversation_id: number }[] }
  t.same(listed.conversations.map(({ conversation_id }) => conversation_id), [conversation], 'of all calls only what was to be kept is there')
  t.match(of('idempotency'), { same: true, text: expectedText('once [[tokens=9]]', 9), other: { class: 'ConflictError', code: 'idempotency_conflict' } })
  t.match(of('in_stream_error'), { error: 'APIError', code: 'engine_rejected' })

  t.ok(told.has('cancel'))
  await engine.until(() => engine.metrics.running + engine.metrics.waiting === 0)
  t.equal(engine.requests.at(-1)?.state, 'aborted', 'who leaves stops the generation')
}

async function node(t: Test, { engine, url }: Started): Promise<void> {
  const client = new OpenAI({ baseURL: `${url}/v1`, apiKey: 'none', maxRetries: 0 })
  const asking = (content: string) => ({ model: 'simulated', messages: [{ role: 'user' as const, content }] })
  t.same((await client.models.list()).data.map(({ id }) => id), ['simulated', 'tools', 'broken'])
  t.match(await client.chat.completions.create(asking('node [[tokens=7]]')), { choices: [{ message: { content: expectedText('node [[tokens=7]]', 7) }, finish_reason: 'stop' }] })
  let text = ''
  for await (const chunk of await client.chat.completions.create({ ...asking('streamed [[tokens=30]]'), stream: true })) text += chunk.choices[0]?.delta.content ?? ''
  t.equal(text, expectedText('streamed [[tokens=30]]', 30))
  const helped = await client.chat.completions.stream(asking('helped [[tokens=30]]')).finalChatCompletion()
  t.equal(helped.choices[0]?.message.content, expectedText('helped [[tokens=30]]', 30))
  const tool = { type: 'function' as const, function: { name: 'get_weather', parameters: { type: 'object', properties: { city: { type: 'string' } } } } }
  const runner = await client.chat.completions.stream({ model: 'tools', messages: [{ role: 'user', content: 'Weather?' }], tools: [tool] }).finalChatCompletion()
  t.match(runner.choices[0], { finish_reason: 'tool_calls', message: { tool_calls: calls.map((call) => ({ function: call })) } })
  await t.rejects(client.chat.completions.create({ ...asking('x'), model: 'nope' }), { status: 404, code: 'model_not_found' })
  const leaving = await client.chat.completions.create({ ...asking('left [[tokens=4000]]'), max_tokens: 4_000, stream: true })
  for await (const chunk of leaving) if ((chunk.choices[0]?.delta.content ?? '') !== '') break
  await engine.until(() => engine.metrics.running + engine.metrics.waiting === 0)
  t.equal(engine.requests.at(-1)?.state, 'aborted')
}
