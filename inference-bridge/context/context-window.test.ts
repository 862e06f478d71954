import fc from 'fast-check'
import t from 'tap'
import { startSimulatedVllm } from '../../load-tests/simulated-vllm/server.ts'
import type { ContextMessage } from '../../protocol/bus/begin.ts'
import { EngineClient, type ChatMessage } from '../vllm/client.ts'
import { Chain, ChainError, type FetchPage } from './chain.ts'
import { assemblePrompt } from './context-window.ts'
import type { ChatPrompt } from './prompt.ts'
import { TokenCounts } from './token-counts.ts'

const timing = { firstTokenMs: 1000, interTokenMs: 1000, jsonTimeoutMs: 5000 }
const never = new AbortController().signal
const noPages: FetchPage = () => Promise.reject(new Error('no page was to be read'))

function messages(...contents: readonly (readonly ['user' | 'assistant' | 'system', string])[]): ContextMessage[] {
  return contents.map(([role, content], index) => ({ message_id: index + 1, role, content }))
}

/** Serves a list in pages, newest first, as an owner does. */
function paged(list: readonly ContextMessage[], size: number, newest = size): { page: { messages: ContextMessage[]; more: number | null }; fetch: FetchPage; fetched: () => number } {
  let fetched = 0
  const page = (end: number, length: number): { messages: ContextMessage[]; more: number | null } => {
    const start = Math.max(0, end - length)
    return { messages: list.slice(start, end), more: list[start - 1]?.message_id ?? null }
  }
  const fetch: FetchPage = (leaf) => {
    fetched += 1
    return Promise.resolve(page(list.findIndex(({ message_id }) => message_id === leaf) + 1, size))
  }
  return { page: page(list.length, newest), fetch, fetched: () => fetched }
}

async function exchanges(chain: Chain): Promise<string[]> {
  const found: string[] = []
  for (let part = await chain.previous(); part !== null; part = await chain.previous()) found.push(part.map(({ content }) => content).join('/'))
  return found
}

t.test('a chain gives its exchanges from the newest back, and leaves out what has no reply', async (t) => {
  const list = messages(['system', 's'], ['user', 'u1'], ['assistant', 'a1'], ['user', 'lost'], ['user', 'u2'], ['assistant', 'a2'], ['user', 'failed'], ['assistant', ''], ['user', 'q'])
  const chain = new Chain({ messages: list, more: null }, noPages)
  t.equal(chain.question.content, 'q')
  t.same(await exchanges(chain), ['u2/a2', 'u1/a1'])
  t.throws(() => new Chain({ messages: [], more: null }, noPages), ChainError)
  t.throws(() => new Chain({ messages: messages(['user', 'u'], ['assistant', 'a']), more: null }, noPages), ChainError)
})

t.test('a chain reads the same however it is cut into pages, and whatever is in it', async () => {
  const role = fc.constantFrom('user' as const, 'assistant' as const, 'system' as const)
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(role, fc.constantFrom('', 'x', 'y'))), fc.nat(20), fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 5 }), async (contents, imported, size, newest) => {
      const list = messages(...contents, ['user', 'q']).map((message, index) => (index < Math.min(imported, contents.length) ? { ...message, imported: true } : message))
      const whole = await exchanges(new Chain({ messages: list, more: null }, noPages))
      const { page, fetch } = paged(list, size, newest)
      const inPages = await exchanges(new Chain(page, fetch))
      return JSON.stringify(whole) === JSON.stringify(inPages) && whole.every((exchange) => !exchange.endsWith('/'))
    }),
  )
})

/** The prompt of a question that follows what was imported, in a window that holds all of it. */
async function promptAfter(imported: readonly (readonly ['user' | 'assistant' | 'system', string])[], question = 'q'): Promise<readonly ChatMessage[]> {
  const list = messages(...imported, ['user', question]).map((message, index) => (index < imported.length ? { ...message, imported: true } : message))
  const chain = new Chain({ messages: list, more: null }, noPages)
  const prompt = await assemblePrompt({ chain, system: null, model: 'm', window: 1_000_000, maxTokens: 10 }, new TokenCounts({ keptMessages: 10 }), {} as EngineClient, never)
  return prompt?.messages ?? []
}

const brief = (list: readonly ChatMessage[]): string => list.map(({ role, content }) => `${role[0]}:${content.replaceAll('\n\n', '+')}`).join(' ')

t.test('an imported history becomes what a strict template takes, in its order', async (t) => {
  for (const [imported, expected] of [
    [[['user', 'u1'], ['assistant', 'a1']], 'u:u1 a:a1 u:q'],
    [[['assistant', 'hello'], ['user', 'u1'], ['assistant', 'a1']], 'u: a:hello u:u1 a:a1 u:q'],
    [[['user', 'u1'], ['user', 'u2'], ['assistant', 'a1'], ['assistant', 'a2']], 'u:u1+u2 a:a1+a2 u:q'],
    [[['user', 'u1'], ['system', 's'], ['assistant', 'a1'], ['system', 's2'], ['user', 'u2']], 'u:u1+s a:a1 u:s2+u2+q'],
    [[['system', 's'], ['assistant', 'a1']], 'u:s a:a1 u:q'],
    [[['user', ''], ['assistant', 'a1'], ['assistant', '']], 'u: a:a1 u:q'],
  ] as const) t.equal(brief(await promptAfter(imported)), expected)
})

t.test('nothing of an imported history is lost, whatever follows what', async () => {
  const role = fc.constantFrom('user' as const, 'assistant' as const, 'system' as const)
  await fc.assert(
    fc.asyncProperty(fc.array(role, { maxLength: 12 }), async (roles) => {
      const prompt = await promptAfter(roles.map((each, index) => [each, `m${index}`] as const))
      const said = prompt.flatMap(({ content }) => content.split('\n\n')).filter((text) => text !== '')
      return alternates(prompt) && JSON.stringify(said) === JSON.stringify([...roles.map((_, index) => `m${index}`), 'q'])
    }),
  )
})

t.test('a message sent in vain after an imported one that has no reply leaves that one where it was', async (t) => {
  const list = messages(['user', 'imported'], ['user', 'sent'], ['assistant', ''], ['user', 'q']).map((message, index) => (index === 0 ? { ...message, imported: true } : message))
  t.same(await exchanges(new Chain({ messages: list, more: null }, noPages)), ['imported'])
})

/** One leading system message at most, then user and assistant in turn, a user last: what Llama-2's template takes. */
function alternates(list: readonly ChatMessage[]): boolean {
  const turns = list[0]?.role === 'system' ? list.slice(1) : list
  return turns.length % 2 === 1 && turns.every(({ role }, index) => role === (index % 2 === 0 ? 'user' : 'assistant'))
}

const conversation = messages(...Array.from({ length: 40 }, (_, index) => [index % 2 === 0 ? 'user' : 'assistant', `message ${index} ${'word '.repeat(20)}`] as const), ['user', 'the question'])

t.test('exact counts fill the window: no exchange more would fit, and none too many is sent', async (t) => {
  for (const maxModelLen of [300, 700, 1000, 4096]) {
    const engine = await startSimulatedVllm({ maxModelLen })
    const client = new EngineClient({ url: engine.url }, timing)
    const counts = new TokenCounts({ keptMessages: 1000 })
    for (const system of [null, 'be kind to people']) {
      for (const maxTokens of [50, 5000]) {
        const { page, fetch } = paged(conversation, 7)
        const prompt = (await assemblePrompt({ chain: new Chain(page, fetch), system, model: 'simulated', window: maxModelLen, maxTokens }, counts, client, never)) as ChatPrompt
        t.ok(alternates(prompt.messages))
        const tokens = (await client.tokenizeChat('simulated', prompt.messages))?.length ?? 0
        t.ok(tokens + prompt.maxTokens <= maxModelLen, `${tokens} and ${prompt.maxTokens} in ${maxModelLen}`)
        t.ok(prompt.maxTokens >= Math.min(maxTokens, maxModelLen / 2), 'room for a reply')
        const kept = prompt.messages.length - 1 - (system === null ? 0 : 1)
        if (kept < 40) {
          const more = [...(system === null ? [] : [{ role: 'system', content: system } as const]), ...conversation.slice(-kept - 3).map(({ role, content }) => ({ role, content }))]
          const larger = (await client.tokenizeChat('simulated', more))?.length ?? 0
          t.ok(larger > maxModelLen - Math.min(maxTokens, Math.floor(maxModelLen / 2)), `${kept} messages kept, and two more take ${larger}`)
        }
      }
    }
    client.close()
    await engine.close()
  }
})

t.test('a conversation that fits by its bytes is not counted, and messages are counted once', async (t) => {
  const engine = await startSimulatedVllm({ maxModelLen: 1000 })
  const client = new EngineClient({ url: engine.url }, timing)
  let calls = 0
  const tokenizeText = client.tokenizeText.bind(client)
  const tokenizeChat = client.tokenizeChat.bind(client)
  client.tokenizeText = (...given) => (calls++, tokenizeText(...given))
  client.tokenizeChat = (...given) => (calls++, tokenizeChat(...given))
  const counts = new TokenCounts({ keptMessages: 1000 })
  const assemble = (list: readonly ContextMessage[]): Promise<ChatPrompt | null> => {
    const { page, fetch } = paged(list, 100)
    return assemblePrompt({ chain: new Chain(page, fetch), system: null, model: 'simulated', window: 1000, maxTokens: 100 }, counts, client, never)
  }
  t.equal((await assemble(conversation.slice(-3)))?.messages.length, 3)
  t.equal(calls, 0)
  const first = await assemble(conversation)
  const cold = calls
  t.ok(cold > 4 && cold < 40, `${cold} calls`)
  calls = 0
  t.same((await assemble(conversation))?.messages, first?.messages)
  t.equal(calls, 0)
  const grown = conversation.slice(-9)
  t.equal((await assemble(grown))?.messages.length, 9)
  calls = 0
  const answered = [...grown, { message_id: 98, role: 'assistant' as const, content: 'an answer' }, { message_id: 99, role: 'user' as const, content: 'another question' }]
  t.equal((await assemble(answered))?.messages.length, 11, 'more than fits by its bytes')
  t.equal(calls, 0, 'with what was counted before it surely fits')
  const next = [...conversation, { message_id: 100, role: 'assistant' as const, content: 'an answer' }, { message_id: 101, role: 'user' as const, content: 'another question' }]
  await assemble(next)
  t.ok(calls <= 2 + 8, `what is new, and what is counted ahead: ${calls}`)
  client.close()
  await engine.close()
})

t.test('pages are read only while there is room', async (t) => {
  const engine = await startSimulatedVllm({ maxModelLen: 300 })
  const client = new EngineClient({ url: engine.url }, timing)
  const { page, fetch, fetched } = paged(conversation, 4)
  await assemblePrompt({ chain: new Chain(page, fetch), system: null, model: 'simulated', window: 300, maxTokens: 50 }, new TokenCounts({ keptMessages: 10 }), client, never)
  t.ok(fetched() <= 3, `${fetched()} of 10 pages`)
  client.close()
  await engine.close()
})

t.test('a question that does not fit gives no prompt', async (t) => {
  const engine = await startSimulatedVllm({ maxModelLen: 200 })
  const client = new EngineClient({ url: engine.url }, timing)
  const long = (words: number): Promise<ChatPrompt | null> =>
    assemblePrompt({ chain: new Chain({ messages: messages(['user', 'abcdef '.repeat(words)]), more: null }, noPages), system: null, model: 'simulated', window: 200, maxTokens: 100 }, new TokenCounts({ keptMessages: 10 }), client, never)
  t.equal(await long(400), null)
  const prompt = await long(20)
  t.ok((prompt?.maxTokens ?? 0) >= 16)
  client.close()
  await engine.close()
})

t.test('counts that are kept are bounded: the one unused for longest goes', async (t) => {
  let calls = 0
  const client = { tokenizeText: () => Promise.resolve((calls++, [1, 2, 3])) } as unknown as EngineClient
  const counts = new TokenCounts({ keptMessages: 2 })
  const count = (message_id: number): Promise<number> => counts.ofMessage(client, 'm', { message_id, role: 'user', content: 'abc' }, never)
  t.equal(await count(1), 3)
  await count(2)
  await count(1)
  await count(3)
  calls = 0
  await count(1)
  t.equal(calls, 0)
  await count(2)
  t.equal(calls, 1)
})

t.test('an engine that cannot count is assumed to need many tokens', async (t) => {
  const client = { tokenizeText: () => Promise.resolve(null), tokenizeChat: () => Promise.resolve(null) } as unknown as EngineClient
  const counts = new TokenCounts({ keptMessages: 10 })
  const { page, fetch } = paged(conversation, 100)
  const prompt = await assemblePrompt({ chain: new Chain(page, fetch), system: null, model: 'm', window: 1000, maxTokens: 100 }, counts, client, never)
  const characters = prompt?.messages.reduce((sum, { content }) => sum + content.length, 0) ?? 0
  t.ok(characters > 900 && characters < 1800, `${characters} characters in 1,000 tokens`)
})
