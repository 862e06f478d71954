import fc from 'fast-check'
import t from 'tap'
import { checkText, isWellFormed, sanitizeModelText, utf8Length } from './text.ts'

const anyText = fc.string({ unit: fc.nat(0xffff).map((unit) => String.fromCharCode(unit)), maxLength: 60 })

t.test('each fault of a text has its own code', async (t) => {
  t.equal(checkText(''), 'text_empty')
  t.equal(checkText('hello'), null)
  t.equal(checkText(' '), null)
  t.equal(checkText('a\0b'), 'text_not_well_formed')
  t.equal(checkText('a\ud83d'), 'text_not_well_formed')
  t.equal(checkText('\udd8a\ud83e'), 'text_not_well_formed')
  t.equal(checkText('🦊'), null)
})

t.test('the limit is 32 KiB of UTF-8, to the byte', async (t) => {
  const kib32 = 32 * 1024
  for (const [character, bytes] of [['a', 1], ['é', 2], ['用', 3], ['🦊', 4]] as const) {
    const fits = character.repeat(Math.floor(kib32 / bytes))
    t.equal(checkText(fits), null, `${character} fits`)
    t.equal(checkText(fits + 'a'.repeat(kib32 - utf8Length(fits))), null, `${character} fills it`)
    t.equal(checkText(fits + 'a'.repeat(kib32 - utf8Length(fits) + 1)), 'text_too_long', `${character} overflows it`)
  }
})

t.test('lengths are those of the UTF-8 encoder', async () => {
  fc.assert(fc.property(anyText, (text) => utf8Length(text) === new TextEncoder().encode(text).length))
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (text) => utf8Length(text) === new TextEncoder().encode(text).length))
})

t.test("a model's text becomes storable, and keeps its length and all that was well formed", async (t) => {
  fc.assert(
    fc.property(anyText, (text) => {
      const clean = sanitizeModelText(text)
      return isWellFormed(clean) && clean.length === text.length && (isWellFormed(text) ? clean === text : clean !== text)
    }),
  )
  t.equal(sanitizeModelText('a\0b\ud800c🦊'), 'a\ufffdb\ufffdc🦊')
})
