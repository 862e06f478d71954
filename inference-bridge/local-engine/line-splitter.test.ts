import fc from 'fast-check'
import t from 'tap'
import { LineSplitter } from './line-splitter.ts'

function split(pieces: readonly string[], maxLength: number): string[] {
  const lines: string[] = []
  const splitter = new LineSplitter(maxLength, (line) => lines.push(line))
  for (const piece of pieces) splitter.push(piece)
  splitter.end()
  return lines
}

t.test('however a text is cut into pieces, the same lines come out', (t) => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', 'b', '\n', '\r') }), { maxLength: 12 }), fc.integer({ min: 1, max: 6 }), (pieces, maxLength) => {
      const text = pieces.join('')
      const whole = text.split('\n').map((line) => line.slice(0, maxLength))
      if (whole.at(-1) === '') whole.pop()
      t.same(split(pieces, maxLength), whole.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line)))
    }),
  )
  t.end()
})

t.test('the rest of an endless line is dropped, the next line is whole', (t) => {
  t.same(split(['x'.repeat(5), 'x'.repeat(1_000_000), '\nnext\n'], 8), ['xxxxxxxx', 'next'])
  t.end()
})
