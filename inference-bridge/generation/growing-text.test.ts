import fc from 'fast-check'
import t from 'tap'
import { GrowingText } from './growing-text.ts'

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant('append' as const), text: fc.string({ maxLength: 120, unit: 'grapheme' }) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('slice' as const), behind: fc.nat(800), length: fc.nat(800) }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('truncate' as const), behind: fc.nat(400) }) },
)

t.test('text that grows reads as one string would, wherever it is read and cut', async () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 600 }), fc.array(step, { maxLength: 80 }), (begun, steps) => {
      let expected = begun
      const text = new GrowingText(begun)
      for (const each of steps) {
        if (each.does === 'append') {
          expected += each.text
          text.append(each.text)
        } else if (each.does === 'truncate') {
          expected = expected.slice(0, Math.max(0, expected.length - each.behind))
          text.truncate(expected.length)
        } else {
          const from = Math.max(0, expected.length - each.behind)
          if (text.slice(from, from + each.length) !== expected.slice(from, from + each.length) || text.slice(from) !== expected.slice(from)) return false
        }
        if (text.length !== expected.length) return false
      }
      return text.whole === expected
    }),
    { numRuns: 500 },
  )
})
