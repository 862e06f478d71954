import fc from 'fast-check'
import t from 'tap'
import { recordedEvents, recordedStreams, vllmFixture } from '../testing/fixtures.ts'
import { EngineFailure } from './failure.ts'
import { SseLimitError, SseParser } from './sse-parser.ts'
import { decodeStreamChunk } from './stream-chunk.ts'

function parse(pieces: readonly Buffer[], maxEventBytes = 1 << 20): string[] {
  const events: string[] = []
  const parser = new SseParser((bytes, start, end) => events.push(bytes.toString('utf8', start, end)), maxEventBytes)
  for (const piece of pieces) {
    // The parser may keep nothing of a chunk: its bytes are overwritten as soon as it has returned.
    const chunk = Buffer.concat([Buffer.from('\ndata: before\n\n'), piece, Buffer.from('\ndata: behind\n\n')])
    const start = '\ndata: before\n\n'.length
    parser.push(chunk, start, start + piece.length)
    chunk.fill(0x78)
  }
  return events
}

function split(bytes: Buffer, cuts: readonly number[]): Buffer[] {
  const sorted = [...new Set(cuts.map((cut) => cut % (bytes.length + 1)))].sort((a, b) => a - b)
  return [0, ...sorted].map((from, index) => bytes.subarray(from, sorted[index] ?? bytes.length))
}

t.test('a recorded stream gives the same events however it is cut', async (t) => {
  for (const name of recordedStreams) {
    const bytes = vllmFixture(name)
    const whole = parse([bytes])
    const expected = recordedEvents(name)
    t.strictSame(whole, expected, name)
    t.ok(whole.length > 0)
    t.strictSame(parse([...bytes].map((byte) => Buffer.of(byte))), expected, `${name}, byte by byte`)
    fc.assert(fc.property(fc.array(fc.nat(bytes.length), { maxLength: 40 }), (cuts) => JSON.stringify(parse(split(bytes, cuts))) === JSON.stringify(expected)), { numRuns: 40 })
  }
})

t.test('every kind of line end, field and comment reads as the standard says, however the bytes are cut', async (t) => {
  const line = fc.oneof(
    fc.string({ unit: 'grapheme' }).map((text) => ({ line: `data: ${text.replace(/[\r\n]/g, '')}`, data: text.replace(/[\r\n]/g, '') })),
    fc.constantFrom(
      { line: 'data', data: '' },
      { line: 'data:', data: '' },
      { line: 'data:x', data: 'x' },
      { line: 'data:  two', data: ' two' },
      { line: ': keep-alive', data: null },
      { line: 'event: message', data: null },
      { line: 'id: 7', data: null },
      { line: 'database: no', data: null },
      { line: 'dat', data: null },
    ),
  )
  const terminator = fc.constantFrom('\n', '\r\n', '\r')
  const event = fc.array(fc.tuple(line, terminator), { maxLength: 4 })
  fc.assert(
    fc.property(fc.boolean(), fc.array(fc.tuple(event, terminator), { maxLength: 6 }), fc.array(fc.nat(), { maxLength: 30 }), (withBom, events, cuts) => {
      const text = (withBom ? '\ufeff' : '') + events.map(([lines, blank]) => lines.map(([{ line: content }, end]) => content + end).join('') + blank).join('')
      // CR and LF of neighbours join to one line end: so does the expectation.
      const expected: string[] = []
      let data: string[] = []
      const bare = withBom ? text.slice(1) : text
      const lines = bare.split(/\r\n|\r|\n/)
      lines.pop()
      for (const content of lines) {
        if (content === '') {
          if (data.length > 0) expected.push(data.join('\n'))
          data = []
        } else if (content === 'data' || content.startsWith('data:')) {
          data.push(content.slice(5).replace(/^ /, ''))
        }
      }
      t.strictSame(parse(split(Buffer.from(text), cuts)), expected)
    }),
    { numRuns: 400 },
  )
})

t.test('what no blank line ends is no event, and comments give none', async (t) => {
  t.strictSame(parse([Buffer.from('data: a\n\ndata: b\n')]), ['a'])
  t.strictSame(parse([Buffer.from(': keep-alive\n\n: keep-alive\n\n')]), [])
  t.strictSame(parse([Buffer.from('\n\n\ndata: a\n\n\n\n')]), ['a'])
})

t.test('an endless line and an endless event are refused at the limit', async (t) => {
  const endless = new SseParser(() => t.fail('no event'), 100)
  endless.push(Buffer.alloc(90, 0x61), 0, 90)
  t.throws(() => endless.push(Buffer.alloc(20, 0x61), 0, 20), SseLimitError)
  const line = Buffer.from('data: aaaaaaaa\n')
  const many = new SseParser(() => t.fail('no event'), 100)
  t.throws(() => {
    for (let index = 0; index < 50; index++) many.push(line, 0, line.length)
  }, SseLimitError)
  t.strictSame(parse(Array.from({ length: 50 }, () => Buffer.from('data: aaaaaaaa\n\n')), 100).length, 50)
})

function decode(name: string): ReturnType<typeof decodeStreamChunk>[] {
  return parse([vllmFixture(name)]).map((event) => {
    const bytes = Buffer.from(event)
    return decodeStreamChunk(bytes, 0, bytes.length)
  })
}

t.test('recorded chunks decode to text, ids, finish reason, usage and errors', async (t) => {
  const chat = decode('chat_stream_usage_ids.sse')
  t.equal(chat.map((chunk) => chunk?.text ?? '').join(''), 'The capital of France is Paris.')
  t.strictSame(chat.flatMap((chunk) => chunk?.ids ?? []), [504, 3575, 282, 4649, 314, 7042, 30, 2])
  t.equal(chat[0]?.promptIds?.length, 37)
  t.equal(chat.filter((chunk) => chunk?.promptIds).length, 1)
  t.strictSame(chat.map((chunk) => chunk?.finishReason).filter(Boolean), ['stop'])
  t.strictSame(chat.at(-2)?.usage, { promptTokens: 37, completionTokens: 8 })
  t.equal(chat.at(-1), null, '[DONE]')

  const completion = decode('resume_completions_cut50.sse')
  t.equal(completion[0]?.promptIds?.length, 94)
  t.equal(completion[0]?.text, ' the')
  t.equal(completion.flatMap((chunk) => chunk?.ids ?? []).length, 110)
  t.strictSame(completion.map((chunk) => chunk?.finishReason).filter(Boolean), ['length'])

  const withoutIds = decode('sse_keepalive_queued.sse')
  t.ok(withoutIds.every((chunk) => chunk === null || (chunk.ids === null && chunk.promptIds === null)))
  t.equal(withoutIds.map((chunk) => chunk?.text ?? '').join(''), 'The story of a young')

  t.strictSame(decode('err_queue_full_race_http200.sse')[0]?.error?.code, 503)
  t.strictSame(decode('sigterm_stream_timeout0.sse').find((chunk) => chunk?.error)?.error?.type, 'InternalServerError')
})

t.test('what is no chunk is a failure that may be retried', async (t) => {
  for (const text of ['', '{', '7', '[]', 'null', '{"choices":[{"text":"a","token_ids":[-1]}]}', '{"choices":[{"text":"a","token_ids":["1"]}]}', '{"choices":[{"text":"a","token_ids":[4294967295]}]}']) {
    const bytes = Buffer.from(text)
    try {
      decodeStreamChunk(bytes, 0, bytes.length)
      t.fail(`${text} was taken`)
    } catch (error) {
      t.ok(error instanceof EngineFailure && error.kind === 'malformed' && error.retryable, text)
    }
  }
  for (const text of ['{}', '{"choices":[]}', '{"choices":null}', '{"choices":[{"delta":{"role":"assistant","content":null}}]}', '{"choices":[{"delta":null,"finish_reason":7}]}']) {
    const bytes = Buffer.from(text)
    t.strictSame(decodeStreamChunk(bytes, 0, bytes.length), { text: '', ids: null, promptIds: null, finishReason: null, usage: null, error: null }, text)
  }
})
