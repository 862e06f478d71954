import fc from 'fast-check'
import t from 'tap'
import { detokenize, Detokenizer } from './detokenizer.ts'
import { Vocabulary } from './vocabulary.ts'

/** A token for each byte, spelled as GPT-2 spells it, and a control token after them. */
const printable = (byte: number) => (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae
const hidden = Array.from({ length: 256 }, (_, byte) => byte).filter((byte) => !printable(byte))
const spelling = (byte: number) => String.fromCodePoint(printable(byte) ? byte : 0x100 + hidden.indexOf(byte))
const endOfText = 256
const vocabulary = new Vocabulary([...Array.from({ length: 256 }, (_, byte) => spelling(byte)), '<|end|>'], [...Array.from({ length: 256 }, () => 1), 3])

const idsOf = (text: string) => [...new TextEncoder().encode(text)]
const decode = (bytes: readonly number[]) => new TextDecoder('utf-8', { ignoreBOM: true }).decode(Uint8Array.from(bytes))
const text = fc.string({ unit: 'grapheme', maxLength: 40 })

t.test('every byte has its spelling, and a space is Ġ', (t) => {
  for (let byte = 0; byte < 256; byte++) t.same([...vocabulary.bytes(byte)], [byte])
  t.equal(vocabulary.spelling(0x20), 'Ġ')
  t.notOk(vocabulary.has(257))
  t.throws(() => vocabulary.spelling(257), { message: 'Token id 257 is out of vocabulary' })
  t.end()
})

t.test('text comes whole, and each piece is the text of all tokens so far', (t) => {
  fc.assert(
    fc.property(text, (expected) => {
      const ids = idsOf(expected)
      const detokenizer = new Detokenizer(vocabulary)
      let shown = ''
      for (const [index, id] of ids.entries()) {
        const piece = detokenizer.push(id)
        shown += piece
        if (piece !== '') t.equal(shown, decode(ids.slice(0, index + 1)))
      }
      t.equal(shown, expected)
      t.equal(detokenize(vocabulary, ids), expected)
    }),
  )
  t.end()
})

t.test('any bytes: what is shown is what a decoder makes of them, but for an unfinished end', (t) => {
  // Lead and continuation bytes, legal and not, are likelier than chance would have them.
  const byte = fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(0x80, 0xa0, 0xbf, 0xc1, 0xc3, 0xe0, 0xe2, 0xed, 0xf0, 0xf4, 0xf5, 0xff))
  fc.assert(
    fc.property(fc.array(byte, { maxLength: 24 }), (ids) => {
      const detokenizer = new Detokenizer(vocabulary)
      const streaming = new TextDecoder('utf-8', { ignoreBOM: true })
      let shown = ''
      let decoded = ''
      for (const [index, id] of ids.entries()) {
        shown += detokenizer.push(id)
        decoded += streaming.decode(Uint8Array.of(id), { stream: true })
        const nothingIsPending = decode(ids.slice(0, index + 1)) === decoded
        if (nothingIsPending) t.equal(shown, decoded)
        else t.ok(decoded.startsWith(shown))
      }
    }),
  )
  t.end()
})

t.test('a reply that goes on within a character gives that character once', (t) => {
  fc.assert(
    fc.property(text, fc.nat(), (whole, cut) => {
      const ids = idsOf(whole)
      const at = ids.length === 0 ? 0 : cut % ids.length
      const before = new Detokenizer(vocabulary)
      const first = ids.slice(0, at).map((id) => before.push(id))
      const after = new Detokenizer(vocabulary, ids.slice(0, at))
      const rest = ids.slice(at).map((id) => after.push(id))
      t.equal([...first, ...rest].join(''), whole)
    }),
  )
  t.end()
})

t.test('control tokens are no text, and do not end a character', (t) => {
  const detokenizer = new Detokenizer(vocabulary)
  t.same([0xc3, endOfText, 0xa9].map((id) => detokenizer.push(id)), ['', '', 'é'])
  t.equal(detokenize(vocabulary, [endOfText]), '<|end|>')
  t.end()
})
