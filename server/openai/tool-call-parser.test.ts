import fc from 'fast-check'
import t from 'tap'
import { callEnd, callStart } from './hermes.ts'
import { ToolCallParser, type ReplyPart } from './tool-call-parser.ts'

/** Neighbouring texts joined: what a client shows. */
function parsed(pieces: readonly string[]): ReplyPart[] {
  const parser = new ToolCallParser()
  const joined: ReplyPart[] = []
  for (const part of [...pieces.flatMap((piece) => parser.push(piece)), ...parser.end()]) {
    const last = joined.at(-1)
    if (part.type === 'text' && last?.type === 'text') joined[joined.length - 1] = { type: 'text', text: last.text + part.text }
    else joined.push(part)
  }
  return joined
}

const text = (of: string): ReplyPart => ({ type: 'text', text: of })
const call = (name: string, args: string): ReplyPart => ({ type: 'call', call: { name, arguments: args } })
const weather = `${callStart}\n{"name": "weather", "arguments": {"city": "Paris"}}\n${callEnd}`

t.test('calls are told from text', async (t) => {
  const cases: readonly (readonly [string, readonly ReplyPart[]])[] = [
    ['', []],
    ['  hello\n', [text('  hello\n')]],
    [weather, [call('weather', '{"city": "Paris"}')]],
    [`Let me see.\n${weather}\n${weather}\n`, [text('Let me see.'), call('weather', '{"city": "Paris"}'), call('weather', '{"city": "Paris"}')]],
    [`${weather} and so on `, [call('weather', '{"city": "Paris"}'), text('and so on ')]],
    [`so: ${callStart}{"name":"now"}`, [text('so:'), call('now', '{}')]],
    [`${callStart}{"arguments": {"id": 12345678901234567890}, "name": "get"}${callEnd}`, [call('get', '{"id":12345678901234567000}')]],
    [`${callStart}{"name": "get", "arguments": {"id": 12345678901234567890}}${callEnd}`, [call('get', '{"id": 12345678901234567890}')]],
    [`${callStart}{"name": "llama", "parameters": {"a": 1}}${callEnd}`, [call('llama', '{"a": 1}')]],
    [`${callStart}{"name": "text", "arguments": "{\\"a\\": 1}"}${callEnd}`, [call('text', '{"a": 1}')]],
    [`a ${callStart} is no call ${callEnd} at all`, [text(`a ${callStart} is no call ${callEnd} at all`)]],
    [`a ${callStart}{"name": "x", "argu`, [text(`a ${callStart}{"name": "x", "argu`)]],
    [`a <tool_`, [text('a <tool_')]],
    [`${callStart}[1]${callEnd}`, [text(`${callStart}[1]${callEnd}`)]],
    [`${callStart}{"name": "deep", "arguments": {"a": ${'['.repeat(5000)}${']'.repeat(5000)}}}${callEnd}`, [text(`${callStart}{"name": "deep", "arguments": {"a": ${'['.repeat(5000)}${']'.repeat(5000)}}}${callEnd}`)]],
  ]
  for (const [reply, parts] of cases) t.same(parsed([reply]), parts, reply.slice(0, 80))
})

const piece = fc.oneof(
  { weight: 3, arbitrary: fc.constantFrom(callStart, callEnd, weather, '{"name": "f", "arguments": {"x": "</tool"}}', '<', '<tool', '_call>', ' ', '\n', '{}') },
  fc.string({ maxLength: 8 }),
)

t.test('however a reply is cut into pieces, its parts are the same, and nothing of its text is lost but white space beside calls', async (t) => {
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(60), { maxLength: 12 }), (written, cuts) => {
      const reply = written.join('')
      const whole = parsed([reply])
      const at = [...new Set([0, ...cuts.map((cut) => Math.min(cut, reply.length)), reply.length])].sort((a, b) => a - b)
      t.strictSame(parsed(at.slice(1).map((end, index) => reply.slice(at[index], end))), whole)
      t.strictSame(parsed([...reply]), whole)
      if (whole.every(({ type }) => type === 'text')) t.equal(whole.map((part) => (part.type === 'text' ? part.text : '')).join(''), reply)
      const bare = (of: string): string => of.replaceAll(/\s/g, '')
      let rest = bare(reply)
      for (const part of whole) {
        if (part.type !== 'text') continue
        const found = rest.indexOf(bare(part.text))
        t.ok(found >= 0)
        rest = rest.slice(found + bare(part.text).length)
      }
    }),
    { numRuns: 500 },
  )
})

t.test('text is passed on as soon as it cannot be part of a call', async (t) => {
  const parser = new ToolCallParser()
  t.same(parser.push('Hel'), [text('Hel')])
  t.same(parser.push('lo <'), [text('lo')])
  t.same(parser.push('3'), [text(' <3')])
  t.same(parser.push(` ${callStart}{"name": "f"}</tool`), [])
  t.same(parser.push('_call>'), [call('f', '{}')])
  t.same(parser.end(), [])
})
