import fc from 'fast-check'
import t from 'tap'
import { EngineStream } from './engine-stream.ts'
import { SseParser } from './sse-parser.ts'
import { decodeStreamChunk, type StreamChunk } from './stream-chunk.ts'

const deadlines = { firstTokenMs: 60_000, interTokenMs: 60_000 }

/** What comes of it line by line and parsed. */
function parsed(stream: Buffer): readonly StreamChunk[] {
  const chunks: StreamChunk[] = []
  const parser = new SseParser((bytes, start, end) => {
    const chunk = decodeStreamChunk(bytes, start, end)
    if (chunk !== null) chunks.push(chunk)
  }, 1_000_000)
  parser.push(stream, 0, stream.length)
  return chunks
}

/** In pieces, each of which lies between other bytes and is overwritten afterwards. */
function streamed(stream: Buffer, cuts: readonly number[]): readonly StreamChunk[] {
  const chunks: StreamChunk[] = []
  const engine = new EngineStream((chunk) => chunks.push(chunk), deadlines)
  engine.head(200)
  const sorted = [...new Set(cuts.map((cut) => cut % (stream.length + 1)))].sort((a, b) => a - b)
  for (const [index, from] of [0, ...sorted].entries()) {
    const piece = Buffer.concat([Buffer.from('\n"'), stream.subarray(from, sorted[index] ?? stream.length), Buffer.from('\n\n}')])
    engine.body(piece, 2, piece.length - 3)
    piece.fill(0x78)
  }
  engine.abort()
  return chunks
}

const token = fc.record({
  text: fc.constantFrom('a', ' the', 'é', '😀', '"', '\\', '\n', '', 'data: {}'),
  ids: fc.oneof({ weight: 5, arbitrary: fc.array(fc.nat(200_000), { minLength: 1, maxLength: 3 }) }, { weight: 1, arbitrary: fc.constant(null) }),
  /** How the event stands in the stream. */
  lines: fc.oneof({ weight: 8, arbitrary: fc.constant('usual' as const) }, { weight: 2, arbitrary: fc.constantFrom('crlf', 'cr', 'no blank', 'two lines', 'one line, but half of it no data', 'comment', 'named', 'other spacing') }),
})

function written({ text, ids, lines }: { readonly text: string; readonly ids: readonly number[] | null; readonly lines: string }): string {
  const event = JSON.stringify({ id: 'x', choices: [{ index: 0, delta: { content: text }, finish_reason: null, token_ids: ids }] })
  switch (lines) {
    case 'crlf': return `data: ${event}\r\n\r\n`
    case 'cr': return `data: ${event}\r\r`
    case 'no blank': return `data:${event}\n\n`
    case 'two lines': return `data: ${event.slice(0, 10)}\ndata: ${event.slice(10)}\n\n`
    case 'one line, but half of it no data': return `data: ${event}\nid: 1\n\n`
    case 'comment': return `: ping\n\ndata: ${event}\n\n`
    case 'named': return `event: x\ndata: ${event}\n\n`
    case 'other spacing': return `data: ${event} \n\n`
    default: return `data: ${event}\n\n`
  }
}

t.test('a stream is read as line by line and parsed, wherever it is cut and however its events stand in it', async () => {
  fc.assert(
    fc.property(fc.array(token, { minLength: 1, maxLength: 20 }), fc.array(fc.nat(5000), { maxLength: 20 }), (tokens, cuts) => {
      const stream = Buffer.from(tokens.map(written).join(''))
      const expected = JSON.stringify(parsed(stream))
      return JSON.stringify(streamed(stream, cuts)) === expected && JSON.stringify(streamed(stream, [])) === expected
    }),
    { numRuns: 2000 },
  )
})

t.test('JSON on several lines of data is not taken for the bytes of one', async (t) => {
  const event = (text: string): string => `data: {"choices":[\ndata: {"delta":{"content":"${text}"},"token_ids":[1]}]}\n\n`
  const raw = '{"choices":[\n{"delta":{"content":"d"},"token_ids":[1]}]}'
  const before = Buffer.from([event('a'), event('b'), event('c')].join(''))
  t.same(streamed(before, []).map(({ text }) => text), ['a', 'b', 'c'])
  const chunks: string[] = []
  const engine = new EngineStream(({ text }) => chunks.push(text), deadlines)
  engine.head(200)
  engine.body(before, 0, before.length)
  const odd = Buffer.from(`data: ${raw}\n\n`)
  engine.body(odd, 0, odd.length)
  t.same(chunks, ['a', 'b', 'c'])
  t.match(await engine.done, { type: 'failed', failure: { kind: 'malformed' } })
})

const usual = (text: string): string => written({ text, ids: [1], lines: 'usual' })

/** One that has read the usual events `a` and `b`, and knows them. */
function begun(onText: (text: string, engine: EngineStream) => void): EngineStream {
  const engine: EngineStream = new EngineStream(({ text }) => onText(text, engine), deadlines)
  engine.head(200)
  read(engine, usual('a') + usual('b'))
  return engine
}

function read(engine: EngineStream, text: string): void {
  const bytes = Buffer.from(text)
  engine.body(bytes, 0, bytes.length)
}

t.test('nothing is passed on after an abort in the middle of a piece', async (t) => {
  const texts: string[] = []
  const engine = begun((text, engine) => {
    texts.push(text)
    if (text === 'd') engine.abort()
  })
  read(engine, ['c', 'd', 'e', 'f'].map(usual).join(''))
  t.same(texts, ['a', 'b', 'c', 'd'])
  t.match(await engine.done, { type: 'aborted' })
})

t.test('what looks like a known event is none within a line, nor before a further line of data', async (t) => {
  const texts: string[] = []
  const engine = begun((text) => texts.push(text))
  read(engine, ': a comment with ')
  read(engine, usual('c'))
  read(engine, usual('d'))
  t.same(texts, ['a', 'b', 'd'])
  read(engine, `${usual('e').trimEnd()}\ndata: more\n\n`)
  t.same(texts, ['a', 'b', 'd'])
  t.match(await engine.done, { type: 'failed', failure: { kind: 'malformed' } })
})
