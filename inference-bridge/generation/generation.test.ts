import fc from 'fast-check'
import t from 'tap'
import { tokenIdsFromBytes } from '../../protocol/bus/token-ids.ts'
import { limits } from '../../protocol/websocket/limits.ts'
import { vllmFixture } from '../testing/fixtures.ts'
import { SseParser } from '../vllm/sse-parser.ts'
import { decodeStreamChunk, type StreamChunk } from '../vllm/stream-chunk.ts'
import { Generation, type GeneratedChunk } from './generation.ts'
import { StopStrings } from './stop-strings.ts'
import { WholeTokens } from './whole-tokens.ts'

const endOfSequence = 2

/** A byte-level vocabulary made up on the go: an id for every distinct run of bytes. */
class ByteVocabulary {
  readonly #bytes = new Map<number, Buffer>()
  readonly #ids = new Map<string, number>()

  id(bytes: Buffer): number {
    const key = bytes.toString('hex')
    const known = this.#ids.get(key)
    if (known !== undefined) return known
    const id = 10 + this.#ids.size
    this.#ids.set(key, id)
    this.#bytes.set(id, bytes)
    return id
  }

  decode(ids: readonly number[]): string {
    return Buffer.concat(ids.filter((id) => id !== endOfSequence).map((id) => this.#bytes.get(id) as Buffer)).toString()
  }

  /** Chunks as vLLM sends them: text comes when it is complete, and several tokens may come at once. */
  stream(ids: readonly number[], sizes: readonly number[], finishReason: 'stop' | 'length' | null): GeneratedChunk[] {
    const chunks: GeneratedChunk[] = []
    let sent = 0
    let complete = 0
    let at = 0
    for (let turn = 0; at < ids.length; turn++) {
      const end = Math.min(ids.length, at + (sizes[turn % sizes.length] as number))
      for (let step = at + 1; step <= end; step++) {
        const text = this.decode(ids.slice(0, step))
        if (!text.endsWith('\ufffd')) complete = text.length
      }
      chunks.push({ text: this.decode(ids.slice(0, end)).slice(sent, complete), ids: ids.slice(at, end), finishReason: end === ids.length ? finishReason : null })
      sent = complete
      at = end
    }
    return chunks
  }
}

const reply = fc.array(fc.constantFrom('a', 'b', 'ab', ' the', '\n', 'é', '日', '本語', '😀', '🧑‍🚀', '🇫🇷', 'x'), { minLength: 1, maxLength: 40 }).map((parts) => parts.join(''))
const sizes = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 6 })

/** Cuts the UTF-8 of `text` into tokens of one to four bytes, which need not be whole characters. */
function tokens(vocabulary: ByteVocabulary, text: string, lengths: readonly number[]): number[] {
  const bytes = Buffer.from(text)
  const ids: number[] = []
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = lengths[turn % lengths.length] as number
    ids.push(vocabulary.id(bytes.subarray(at, at + length)))
    at += length
  }
  return ids
}

function shownText(generation: Generation): string {
  return generation.text.slice(0, generation.showable.text)
}

function shownIds(generation: Generation): number[] {
  return tokenIdsFromBytes(generation.ids.bytes(0, generation.showable.ids))
}

/** What a bridge does about a pair in doubt: it asks the engine what the newest ids say. */
function settleDoubt(generation: Generation, vocabulary: ByteVocabulary): void {
  const { doubt } = generation
  if (doubt === null) return
  const tail = generation.ids.list(doubt.ids - 12, doubt.ids)
  let unfinished = 0
  while (vocabulary.decode(tail.slice(0, tail.length - unfinished)).endsWith('\ufffd')) unfinished += 1
  generation.settle(doubt, unfinished)
}

t.test('at every moment the shown text is exactly what the shown ids say', async () => {
  fc.assert(
    fc.property(reply, sizes, sizes, fc.boolean(), fc.boolean(), (text, lengths, chunkSizes, asks, knows) => {
      const vocabulary = new ByteVocabulary()
      const ids = tokens(vocabulary, text, lengths)
      const whole = new WholeTokens()
      if (knows) for (const id of ids) whole.learn(id, !vocabulary.decode([id]).includes('\ufffd'))
      const generation = new Generation({ stop: [] }, whole)
      for (const chunk of vocabulary.stream(ids, chunkSizes, null)) {
        generation.push(chunk)
        if (asks) settleDoubt(generation, vocabulary)
        if (vocabulary.decode(shownIds(generation)) !== shownText(generation)) return false
        if (!text.startsWith(shownText(generation))) return false
        if (asks && generation.text !== shownText(generation)) return false
      }
      return true
    }),
    { numRuns: 500 },
  )
})

t.test('a generation that is cut anywhere and gone on from its last pair shows the same text, with no seam', async () => {
  fc.assert(
    fc.property(reply, sizes, sizes, fc.array(fc.nat(60), { maxLength: 4 }), fc.boolean(), (text, lengths, chunkSizes, cuts, elsewhere) => {
      const vocabulary = new ByteVocabulary()
      const ids = [...tokens(vocabulary, text, lengths), endOfSequence]
      const whole = new WholeTokens()
      let generation = new Generation({ stop: [] }, whole)
      let from = 0
      for (const cut of [...cuts, Number.POSITIVE_INFINITY]) {
        // The engine goes on from these ids, and so its text begins after what they say.
        const chunks = vocabulary.stream(ids, chunkSizes, 'stop')
        let sentIds = 0
        for (const [index, chunk] of chunks.entries()) {
          if (index >= cut) break
          const chunkIds = (chunk.ids ?? []).slice(Math.max(0, from - sentIds))
          const textBefore = vocabulary.decode(ids.slice(0, from)).length
          const textAt = chunks.slice(0, index).reduce((sum, other) => sum + other.text.length, 0)
          sentIds += chunk.ids?.length ?? 0
          if (sentIds <= from) continue
          generation.push({ ...chunk, ids: chunkIds, text: chunk.text.slice(Math.max(0, textBefore - textAt)) })
        }
        if (generation.end !== null) break
        if (elsewhere) {
          // Another bridge knows only what was shown.
          const tokenIds = generation.ids.bytes(0, generation.showable.ids)
          generation = new Generation({ stop: [], resume: { text: shownText(generation), tokenIds } }, whole)
        } else {
          generation.rewind()
        }
        from = generation.ids.count
        if (vocabulary.decode(ids.slice(0, from)) !== generation.text) return false
      }
      return generation.end === 'stop' && generation.text === text && shownText(generation) === text && generation.ids.lastIsNoText
    }),
    { numRuns: 500 },
  )
})

t.test('a stop string is found wherever the chunks are cut, and nothing of it is ever shown', async () => {
  const stops = fc.array(fc.constantFrom('ab', 'aab', 'b\n', '😀', 'xx', 'the ', ' the', 'é日', 'bab'), { minLength: 1, maxLength: 4 })
  fc.assert(
    fc.property(reply, stops, sizes, sizes, fc.boolean(), (text, stop, lengths, chunkSizes, withIds) => {
      const expected = cutByHand(text, stop)
      const vocabulary = new ByteVocabulary()
      const ids = [...tokens(vocabulary, text, lengths), endOfSequence]
      const generation = new Generation({ stop }, new WholeTokens())
      for (const chunk of vocabulary.stream(ids, chunkSizes, 'stop')) {
        generation.push(withIds ? chunk : { ...chunk, ids: null })
        if (!expected.startsWith(shownText(generation))) return false
        if (withIds && generation.end === null && vocabulary.decode(shownIds(generation)) !== shownText(generation)) return false
      }
      return generation.end === 'stop' && generation.text === expected
    }),
    { numRuns: 1000 },
  )
})

/** The stop string whose end comes first, unit by unit. */
function cutByHand(text: string, stops: readonly string[]): string {
  for (let end = 1; end <= text.length; end++) {
    const ending = stops.filter((stop) => text.slice(0, end).endsWith(stop)).sort((a, b) => b.length - a.length)[0]
    if (ending !== undefined) return text.slice(0, end - ending.length)
  }
  return text
}

t.test('text that may become a stop string is held back, and shown once it has not', async (t) => {
  const stops = new StopStrings(['STOP'])
  t.equal(stops.safeLength('a ST'), 2)
  t.equal(stops.safeLength('a STO '), 6)
  const generation = new Generation({ stop: ['STOP'] }, new WholeTokens())
  const push = (text: string, id: number): void => void generation.push({ text, ids: [id], finishReason: null })
  push('a', 1)
  push(' S', 2)
  t.equal(shownText(generation), 'a')
  t.strictSame(shownIds(generation), [1])
  push('T', 3)
  push('ay', 4)
  t.equal(shownText(generation), 'a STay')
  t.strictSame(shownIds(generation), [1, 2, 3, 4])
  push('STO', 5)
  push('P!', 6)
  t.equal(generation.end, 'stop')
  t.equal(generation.text, 'a STay')
})

t.test('a stop string that was under way when a stream broke is found by the next one', async (t) => {
  const generation = new Generation({ stop: ['STOP'] }, new WholeTokens())
  generation.push({ text: 'a', ids: [1], finishReason: null })
  generation.push({ text: 'ST', ids: [2], finishReason: null })
  t.strictSame(generation.showable, { ids: 1, text: 1 })
  generation.rewind()
  t.equal(generation.ids.count, 2, 'what is held back need not be generated again')
  generation.push({ text: 'OPb', ids: [3], finishReason: null })
  t.equal(generation.end, 'stop')
  t.equal(generation.text, 'a')
})

t.test('a model that writes without end is stopped at the size of a message, inside no character', async (t) => {
  for (const character of ['a', 'é', '日', '😀']) {
    const generation = new Generation({ stop: [] }, new WholeTokens())
    generation.push({ text: '-', ids: [1], finishReason: null })
    for (let pushes = 0; generation.end === null; pushes++) {
      if (pushes > limits.textBytes) return t.fail('it never ended')
      generation.push({ text: character.repeat(7), ids: [2], finishReason: null })
    }
    t.equal(generation.end, 'length')
    const bytes = Buffer.byteLength(generation.text)
    t.ok(bytes <= limits.textBytes && bytes > limits.textBytes - 4, `${bytes} bytes`)
    t.ok(generation.text.isWellFormed())
    t.ok(generation.showable.text <= generation.text.length)
  }
  const exact = new Generation({ stop: [] }, new WholeTokens())
  exact.push({ text: 'a'.repeat(limits.textBytes), ids: [1], finishReason: 'stop' })
  t.equal(exact.end, 'stop', 'a reply of exactly the greatest size is whole')
})

t.test('U+0000 and lone surrogates become U+FFFD, and pairs that come in halves stay whole', async (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 30 }), fc.array(fc.nat(30), { maxLength: 8 }), (text, cuts) => {
      const generation = new Generation({ stop: [] }, new WholeTokens())
      const sorted = [...cuts, text.length].sort((a, b) => a - b)
      let from = 0
      for (const cut of sorted) {
        generation.push({ text: text.slice(from, cut), ids: null, finishReason: null })
        from = Math.max(from, Math.min(cut, text.length))
        if (!shownText(generation).isWellFormed()) return false
      }
      generation.push({ text: '', ids: null, finishReason: 'stop' })
      return generation.text === text.toWellFormed().replaceAll('\0', '\ufffd') && shownText(generation) === generation.text
    }),
    { numRuns: 500 },
  )
  const split = new Generation({ stop: [] }, new WholeTokens())
  split.push({ text: 'a\ud83d', ids: null, finishReason: null })
  t.equal(shownText(split), 'a')
  split.push({ text: '\ude00', ids: null, finishReason: null })
  t.equal(shownText(split), 'a😀')
})

t.test('text without ids in a reply that has ids is refused, and a plain reply is never gone on from', async (t) => {
  const withIds = new Generation({ stop: [] }, new WholeTokens())
  t.ok(withIds.push({ text: 'a', ids: [1], finishReason: null }))
  t.notOk(withIds.push({ text: 'b', ids: null, finishReason: null }))
  t.equal(withIds.text, 'a')
  t.ok(withIds.hasIds)
  const plain = new Generation({ stop: [] }, new WholeTokens())
  t.ok(plain.push({ text: 'a', ids: null, finishReason: null }))
  t.ok(plain.push({ text: 'b', ids: [7], finishReason: null }))
  t.notOk(plain.hasIds)
  t.strictSame(plain.showable, { ids: 0, text: 2 })
  plain.restart()
  t.strictSame([plain.text, plain.showable], ['', { ids: 0, text: 0 }])
  plain.push({ text: 'c', ids: [1], finishReason: null })
  t.ok(plain.hasIds, 'a start anew may have ids')
})

t.test('a reply whose ids end in an end of sequence is over before anything is asked', async (t) => {
  const first = new Generation({ stop: [] }, new WholeTokens())
  first.push({ text: 'a', ids: [1], finishReason: null })
  first.push({ text: '', ids: [endOfSequence], finishReason: 'stop' })
  t.strictSame(first.showable, { ids: 2, text: 1 })
  const next = new Generation({ stop: [], resume: { text: 'a', tokenIds: first.ids.bytes(0, 2) } }, new WholeTokens())
  t.equal(next.end, 'stop')
  t.equal(next.text, 'a')
  t.strictSame(next.ids.list(0, 2), [1, endOfSequence], 'the mark is no part of the id')
})

function recorded(name: string): StreamChunk[] {
  const chunks: StreamChunk[] = []
  const parser = new SseParser((bytes, start, end) => {
    const chunk = decodeStreamChunk(bytes, start, end)
    if (chunk !== null) chunks.push(chunk)
  }, 1 << 20)
  const bytes = vllmFixture(name)
  parser.push(bytes, 0, bytes.length)
  return chunks
}

t.test('recorded replies come out whole, cut-off characters withheld', async (t) => {
  const unicode = new Generation({ stop: [] }, new WholeTokens())
  for (const chunk of recorded('chat_stream_unicode.sse')) {
    const before = unicode.showable
    unicode.push(chunk)
    if (chunk.text === '' && unicode.end === null) t.strictSame(unicode.showable, before, 'ids without text move nothing')
  }
  t.equal(unicode.end, 'length')
  t.equal(unicode.text, recorded('chat_stream_unicode.sse').map((chunk) => chunk.text).join(''))
  t.equal(unicode.ids.count, 40)

  const stopped = new Generation({ stop: ['Paris'] }, new WholeTokens())
  for (const chunk of recorded('chat_stream_usage_ids.sse')) stopped.push(chunk)
  t.equal(stopped.end, 'stop')
  t.equal(stopped.text, 'The capital of France is ', 'as the engine cut it when it was given the stop string')
  t.equal(stopped.text, recorded('chat_stream_stopstring.sse').map((chunk) => chunk.text).join(''))
})
