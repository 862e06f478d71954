import fc from 'fast-check'
import t from 'tap'
import { Compile } from 'typebox/compile'
import { ChatCompletion, ChatCompletionChunk } from '../../protocol/openai/chat-completion.ts'
import type { ToolCall } from '../../protocol/openai/chat-completion-request.ts'
import { Completion } from '../../protocol/openai/completion.ts'
import type { FinishReason } from '../../protocol/websocket/fields.ts'
import { ChatForm } from './chat-form.ts'
import { CompletionForm } from './completion-form.ts'
import type { EndedReply } from './reply-form.ts'

const head = { id: 'chatcmpl-01900000-0000-7000-8000-000000000001', created: 1_764_072_000, model: 'm' }
const usage = { prompt_tokens: 3, completion_tokens: 4 }
const call = '<tool_call>\n{"name": "f", "arguments": {"a": 1}}\n</tool_call>'

const isChunk = Compile(ChatCompletionChunk)
const isWhole = Compile(ChatCompletion)
const isCompletion = Compile(Completion)

const piece = fc.oneof(fc.string({ minLength: 1, maxLength: 6 }), fc.constantFrom(call, '<tool_', 'call>', '</tool_call>', '{"name": "g"}', '\n'))
const ended: fc.Arbitrary<EndedReply> = fc.record({ reason: fc.constantFrom<FinishReason>('stop', 'length', 'stopped', 'filtered'), usage: fc.constantFrom(usage, null) })

t.test('the chunks of a chat, joined as its clients join them, say what the whole answer says', async (t) => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 10 }), ended, fc.boolean(), fc.boolean(), (pieces, end, tools, includeUsage) => {
      const form = new ChatForm({ tools, includeUsage, conversationId: null })
      const writer = form.chunks(head)
      const chunks = [...writer.begin(), ...pieces.flatMap((text) => writer.text(text)), ...writer.end(end)]
      for (const chunk of chunks) if (!isChunk.Check(chunk)) throw new Error(JSON.stringify(chunk))
      const choices = chunks.flatMap((chunk) => chunk.choices)
      const content = choices.map(({ delta }) => delta.content ?? '').join('')
      const calls: ToolCall[] = choices.flatMap(({ delta }) => delta.tool_calls ?? []).map(({ id, type, function: called }) => ({ id, type, function: called }))
      const whole = form.whole(head, pieces.join(''), end)
      if (!isWhole.Check(whole)) throw new Error(JSON.stringify(whole))
      const { message, finish_reason } = whole.choices[0] as (typeof whole.choices)[number]
      t.equal(content, message.content ?? '')
      t.same(calls, message.tool_calls ?? [])
      t.same(choices.map((choice) => choice.finish_reason).filter((reason) => reason !== null), [finish_reason], 'in one chunk, once')
      t.equal(choices.at(-1)?.finish_reason, finish_reason)
      t.equal(chunks[0]?.choices[0]?.delta.role, 'assistant')
      if (includeUsage) t.same([chunks.at(-1)?.choices, chunks.at(-1)?.usage ?? null], [[], whole.usage ?? null])
      else t.notOk(chunks.some((chunk) => 'usage' in chunk))
    }),
    { numRuns: 300 },
  )
})

t.test('the ways in which a reply ends have their names', async (t) => {
  const reasonOf = (tools: boolean, text: string, reason: FinishReason) => new ChatForm({ tools, includeUsage: false, conversationId: 7 }).whole(head, text, { reason, usage }).choices[0]?.finish_reason
  t.same((['stop', 'length', 'stopped', 'filtered'] as const).map((reason) => reasonOf(false, 'x', reason)), ['stop', 'length', 'stop', 'content_filter'])
  t.same((['stop', 'length', 'stopped', 'filtered'] as const).map((reason) => reasonOf(true, call, reason)), ['tool_calls', 'length', 'tool_calls', 'content_filter'])
  t.equal(reasonOf(false, call, 'stop'), 'stop', 'without tools a call is text')
  const whole = new ChatForm({ tools: true, includeUsage: false, conversationId: 7 }).whole(head, call, { reason: 'stop', usage: null })
  t.match(whole, { metadata: { conversation_id: '7' }, choices: [{ message: { content: null, tool_calls: [{ function: { name: 'f', arguments: '{"a": 1}' } }] } }] })
  t.notOk('usage' in whole)
})

t.test('the chunks of a completion, joined, say what the whole says', async (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ minLength: 1 }), { maxLength: 6 }), ended, fc.boolean(), (pieces, end, includeUsage) => {
      const form = new CompletionForm({ includeUsage })
      const writer = form.chunks(head)
      const chunks = [...writer.begin(), ...pieces.flatMap((text) => writer.text(text)), ...writer.end(end)]
      const whole = form.whole(head, pieces.join(''), end)
      for (const each of [...chunks, whole]) if (!isCompletion.Check(each)) throw new Error(JSON.stringify(each))
      const choices = chunks.flatMap((chunk) => chunk.choices)
      t.equal(choices.map(({ text }) => text).join(''), whole.choices[0]?.text)
      t.equal(choices.at(-1)?.finish_reason, whole.choices[0]?.finish_reason)
      t.same(choices.slice(0, -1).filter(({ finish_reason }) => finish_reason !== null), [])
    }),
    { numRuns: 200 },
  )
})
