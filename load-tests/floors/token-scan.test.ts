import fc from 'fast-check'
import t from 'tap'
import { TokenScan } from './token-scan.ts'

t.test('wherever a stream is cut, its text is what its events say', async () => {
  fc.assert(
    fc.property(fc.array(fc.string({ unit: fc.constantFrom('a', ' ', '"', '\\', '\n', 'content":"', 'ä') }), { maxLength: 8 }), fc.array(fc.nat(900), { maxLength: 6 }), (tokens, cuts) => {
      const events = tokens.map((content) => `data: ${JSON.stringify({ object: 'chat.completion.chunk', choices: [{ index: 0, delta: { content }, finish_reason: null }] })}\n\n`)
      const stream = `${events.join('')}data: [DONE]\n\n`
      const places = [0, ...cuts.map((cut) => Math.min(cut, stream.length)), stream.length].toSorted((a, b) => a - b)
      const scan = new TokenScan()
      const raw = places.slice(1).map((place, index) => scan.read(stream.slice(places[index], place))).join('')
      return JSON.parse(`"${raw}"`) === tokens.join('')
    }),
  )
})
