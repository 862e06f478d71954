import t from 'tap'
import type { ChatCompletionMessage, Tool } from '../../protocol/openai/chat-completion-request.ts'
import { RequestFault } from '../../protocol/rest/decode.ts'
import { readMessages } from './chat-prompt.ts'
import { callText, toolsText } from './hermes.ts'
import { paramsOf } from './sampling.ts'

const weather: Tool = { type: 'function', function: { name: 'weather', description: 'Now', parameters: { type: 'object', properties: { city: { type: 'string', enum: ['a', 'b'] } } }, strict: true } }
const call = { id: 'call_1', type: 'function', function: { name: 'weather', arguments: '{"city":"a"}' } } as const
const user = (content: string): ChatCompletionMessage => ({ role: 'user', content })
const assistant = (content: string): ChatCompletionMessage => ({ role: 'assistant', content })
const system = (content: string): ChatCompletionMessage => ({ role: 'system', content })

t.test('what was said since the last reply is the question, and all before it the history', async (t) => {
  t.same(readMessages([user('hi')], []), { system: null, history: [], question: 'hi' })
  t.same(readMessages([system('be brief'), user('a'), assistant('b'), user('c'), { role: 'user', content: [{ type: 'text', text: 'd' }, { type: 'text', text: 'e' }] }], []), {
    system: null,
    history: [{ role: 'system', content: 'be brief' }, { role: 'user', content: 'a' }, { role: 'assistant', content: 'b' }],
    question: 'c\n\nde',
  })
  t.same(readMessages([user('a'), { role: 'developer', content: 'mind this' }], []), { system: null, history: [{ role: 'system', content: 'mind this' }], question: 'a' }, 'a reminder after the question')
})

t.test('tools, calls and results become the text that models of the Hermes form are trained on', async (t) => {
  const { system: prompt, history, question } = readMessages(
    [system('be brief'), system('and kind'), user('weather?'), { role: 'assistant', content: null, tool_calls: [call, call] }, { role: 'tool', tool_call_id: 'call_1', content: 'sunny' }, { role: 'tool', tool_call_id: 'call_1', content: 'rain' }],
    [weather],
  )
  t.equal(prompt, `be brief\n\nand kind\n\n${toolsText([weather])}`)
  t.match(toolsText([weather]), '<tools>\n{"type": "function", "function": {"name": "weather", "description": "Now", "parameters": {"type": "object", "properties": {"city": {"type": "string", "enum": ["a", "b"]}}}}}\n</tools>')
  const written = '<tool_call>\n{"name": "weather", "arguments": {"city": "a"}}\n</tool_call>'
  t.equal(callText(call), written)
  t.same(history, [{ role: 'user', content: 'weather?' }, { role: 'assistant', content: `${written}\n${written}` }])
  t.equal(question, '<tool_response>\nsunny\n</tool_response>\n<tool_response>\nrain\n</tool_response>')
  t.equal(readMessages([user('x')], [weather]).system, toolsText([weather]))
})

t.test('what cannot be meant is refused by the place where it stands', async (t) => {
  const refusals: readonly { readonly messages: readonly ChatCompletionMessage[]; readonly code: string; readonly pointer: string; readonly tools?: readonly Tool[] }[] = [
    { messages: [assistant('x')], code: 'invalid_field', pointer: '/messages' },
    { messages: [system('x')], code: 'invalid_field', pointer: '/messages' },
    { messages: [user('')], code: 'text_empty', pointer: '/messages/0/content' },
    { messages: [user('x'), assistant('y'), user('z'.repeat(40_000))], code: 'text_too_long', pointer: '/messages/2/content' },
    { messages: [user('x'), assistant('y'.repeat(40_000)), user('z')], code: 'text_too_long', pointer: '/messages/1/content' },
    { messages: [{ role: 'user', content: [{ type: 'text', text: 'a' }, { type: 'image_url' }] }], code: 'invalid_field', pointer: '/messages/0/content/1/type' },
    { messages: [{ role: 'user', content: [{ type: 'text' }] }], code: 'invalid_field', pointer: '/messages/0/content/0/text' },
    { messages: [{ role: 'user', content: 'x', tool_calls: [call] }], code: 'invalid_field', pointer: '/messages/0/tool_calls' },
    { messages: [user('x'), { role: 'assistant', tool_calls: [call, { ...call, function: { name: 'f', arguments: '{' } }] }, user('y')], code: 'invalid_field', pointer: '/messages/1/tool_calls/1/function/arguments' },
    { messages: [user('x'), { role: 'assistant', tool_calls: [{ ...call, function: { name: 'f', arguments: `{"a":${'['.repeat(3000)}${']'.repeat(3000)}}` } }] }, user('y')], code: 'invalid_field', pointer: '/messages/1/tool_calls/0/function/arguments' },
    { messages: [user('x')], code: 'text_too_long', pointer: '/tools', tools: [{ type: 'function', function: { name: 'f', description: 'd'.repeat(40_000) } }] },
  ]
  for (const { messages, code, pointer, tools = [] } of refusals) {
    try {
      readMessages(messages, tools)
      t.fail(`${pointer} was taken`)
    } catch (error) {
      t.match(error, { code, fault: { in: 'body', pointer } })
      t.ok(error instanceof RequestFault)
    }
  }
  const long = Array.from({ length: 50 }, (_, index) => (index % 2 === 0 ? user('u'.repeat(30_000)) : assistant('a'.repeat(30_000))))
  t.throws(() => readMessages([...long, user('x')], []), { code: 'history_too_long', fault: { pointer: '/messages/34/content' } })
})

t.test('parameters are passed on, in our names and bounds', async (t) => {
  t.same(paramsOf({ temperature: null, stop: null }), {})
  t.same(paramsOf({ temperature: 0, top_p: 0.5, presence_penalty: -1, frequency_penalty: 2, max_tokens: 9, seed: -(2 ** 31) - 5, stop: 'x' }), { temperature: 0, top_p: 0.5, presence_penalty: -1, frequency_penalty: 2, max_tokens: 9, seed: 5, stop: ['x'] })
  t.same(paramsOf({ stop: ['a', 'b'] }, ['</tool_call>']), { stop: ['a', 'b', '</tool_call>'] })
  t.throws(() => paramsOf({ stop: ['a', 'b', 'c', 'd'] }, ['</tool_call>']), { code: 'invalid_field', fault: { pointer: '/stop' } })
})
