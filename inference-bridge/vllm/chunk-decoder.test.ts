import fc from 'fast-check'
import t from 'tap'
import { recordedEvents, recordedStreams } from '../testing/fixtures.ts'
import { ChunkDecoder } from './chunk-decoder.ts'
import { EngineFailure } from './failure.ts'
import { decodeStreamChunk } from './stream-chunk.ts'

function recorded(name: string): Buffer[] {
  return recordedEvents(name).map((event) => Buffer.from(event))
}

/** What a reader gives for an event: a chunk, null, or the failure that it throws. */
function outcome(decode: (bytes: Buffer, start: number, end: number) => unknown, event: Buffer): string {
  // An event lies anywhere in what was read, between other bytes; and what is kept of it does not change with those.
  const bytes = Buffer.concat([Buffer.from('"}'), event, Buffer.from('",1]}')])
  try {
    return JSON.stringify(decode(bytes, 2, 2 + event.length))
  } catch (error) {
    if (!(error instanceof EngineFailure)) throw error
    return `${error.kind}: ${error.message}`
  } finally {
    bytes.fill(0x78)
  }
}

function sameAsParsed(events: readonly Buffer[]): void {
  const decoder = new ChunkDecoder()
  for (const event of events) {
    const [given, expected] = [outcome((...range) => decoder.decode(...range), event), outcome(decodeStreamChunk, event)]
    if (given !== expected) throw new Error(`${event.toString()} reads as ${given}, and parsed as ${expected}`)
  }
}

t.test('recorded streams read as they do parsed', async () => {
  for (const name of recordedStreams) sameAsParsed(recorded(name))
})

t.test('a recorded stream is hardly parsed, whichever of its forms it has', async (t) => {
  for (const name of ['chat_stream_usage_ids.sse', 'chat_stream_unicode.sse', 'chat_stream_length.sse', 'resume_full_chat.sse', 'resume_completions_cut50.sse']) {
    const events = recorded(name)
    const tokens = events.slice(1, -3)
    const decoder = new ChunkDecoder()
    for (const event of events.slice(0, 3)) decoder.decode(event, 0, event.length)
    const parses = t.capture(JSON, 'parse', JSON.parse)
    for (let round = 0; round < 20; round++) for (const event of tokens) decoder.decode(event, 0, event.length)
    const whole = parses().filter(({ args: [text] }) => String(text).startsWith('{')).length
    parses.restore()
    t.ok(whole <= 2, `${name}: ${whole} of ${20 * tokens.length} events were parsed`)
  }
})

const text = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.string({ unit: 'grapheme' }),
  fc.constantFrom('', ' the', '"', '\\', '\n', '\\"', '\ud83d', '\ude00', '\u0000', '"content":"', '","token_ids":[1]', '[DONE]'),
)
const ids = fc.oneof(fc.array(fc.nat(0x7fffffff), { maxLength: 4 }), fc.constant(null))

/** Key and value as they stand in JSON: unlike in an object, keys may repeat. */
type Field = readonly [key: string, value: string]

const object = (fields: readonly Field[]): string => `{${fields.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`
const literal = (value: string): fc.Arbitrary<string> =>
  fc.constantFrom(JSON.stringify(value), JSON.stringify(value).replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`))
const numbers = (list: readonly number[] | null): fc.Arbitrary<string> =>
  list === null ? fc.constant('null') : fc.constantFrom(`[${list.join(',')}]`, `[${list.join(', ')}]`, `[${list.map((id) => `${id}.0`).join(',')}]`, `[${list.map((id) => `0${id}`).join(',')}]`)
const oddValues = fc.constantFrom('null', '1', '"stop"', '"x"', '[]', '[1]', '{}', '{"content":"x"}', '[-1]', '[2147483648]', '[9999999999]', '{"prompt_tokens":1,"completion_tokens":2}')
const oddFields: fc.Arbitrary<Field> = fc.tuple(
  fc.constantFrom('id', 'error', 'usage', 'prompt_token_ids', 'token_ids', 'content', 'text', 'delta', 'choices', 'finish_reason', '__proto__', 'a"content', 'b"token_ids', 'logprobs'),
  oddValues,
)

interface Made {
  readonly text: string
  readonly ids: string
}

/** A dialect: how an engine puts text and ids into an event. */
const dialect: fc.Arbitrary<(made: Made) => string> = fc
  .record({
    key: fc.constantFrom('content', 'text'),
    more: fc.tuple(fc.array(oddFields, { maxLength: 2 }), fc.array(oddFields, { maxLength: 2 }), fc.array(oddFields, { maxLength: 2 })),
    order: fc.tuple(fc.double({ noNaN: true }), fc.double({ noNaN: true }), fc.double({ noNaN: true })),
    usual: fc.boolean(),
  })
  .map(({ key, more: [inDelta, inChoice, inEvent], order, usual }) => {
    const place = (own: readonly Field[], odd: readonly Field[], by: number): readonly Field[] => {
      if (usual) return own
      const at = Math.floor(Math.abs(by) % (own.length + 1))
      return [...own.slice(at), ...odd, ...own.slice(0, at)]
    }
    return (made: Made): string => {
      const told: Field = key === 'content' ? ['delta', object(place([[key, made.text]], inDelta, order[0]))] : [key, made.text]
      const choice = object(place([['index', '0'], told, ['finish_reason', 'null'], ['token_ids', made.ids]], inChoice, order[1]))
      return object(place([['id', '"a"'], ['choices', `[${choice}]`]], inEvent, order[2]))
    }
  })

const made: fc.Arbitrary<Made> = fc.tuple(text, ids).chain(([value, list]) => fc.record({ text: literal(value), ids: numbers(list) }))

/** Changes some bytes, or cuts. */
const damage = fc.oneof(
  { weight: 3, arbitrary: fc.constant((bytes: Buffer): Buffer => bytes) },
  fc.tuple(fc.nat(), fc.constantFrom('', '"', '\\', '{', '}', ']', ',', ' ', '0', '-', 'e', '\n', '\u00e9', '\u0001')).map(([at, put]) => (bytes: Buffer) => {
    const cut = at % (bytes.length + 1)
    return Buffer.concat([bytes.subarray(0, cut), Buffer.from(put), bytes.subarray(cut + 1)])
  }),
  fc.tuple(fc.nat(), fc.nat(255)).map(([at, byte]) => (bytes: Buffer) => {
    const changed = Buffer.from(bytes)
    changed[at % changed.length] = byte
    return changed
  }),
  fc.nat().map((at) => (bytes: Buffer) => bytes.subarray(0, at % bytes.length)),
)

t.test('whatever an engine says reads as it does parsed, also where it changes its mind in the middle', async () => {
  fc.assert(
    fc.property(dialect, dialect, fc.array(fc.tuple(made, damage, fc.boolean()), { minLength: 2, maxLength: 12 }), (one, other, tokens) => {
      sameAsParsed(tokens.map(([token, harm, isOther], index) => (index < 3 ? Buffer.from(one(token)) : harm(Buffer.from((isOther ? other : one)(token))))))
    }),
    { numRuns: 3000 },
  )
})

t.test('an engine whose every event has another shape is read all the same, and not learnt for ever', async (t) => {
  const decoder = new ChunkDecoder()
  const event = (n: number): Buffer => Buffer.from(`{"choices":[{"delta":{"content":"${n}"},"token_ids":[${n}]}],"created":${n}}`)
  for (let n = 0; n < 10; n++) t.match(decoder.decode(event(n), 0, event(n).length), { text: String(n), ids: [n] })
  const parses = t.capture(JSON, 'parse', JSON.parse)
  decoder.decode(event(11), 0, event(11).length)
  t.equal(parses().length, 1)
})
