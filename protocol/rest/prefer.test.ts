import fc from 'fast-check'
import t from 'tap'
import { parsePrefer } from './prefer.ts'

t.test('preferences are understood as RFC 7240 writes them', async (t) => {
  const cases: readonly (readonly [string | undefined, boolean, number | null])[] = [
    [undefined, false, null],
    ['respond-async', true, null],
    ['Respond-Async, wait=10', true, 10],
    ['wait="5";x=1, handling=lenient', false, 5],
    ['wait=1, wait=2', false, 1],
    ['wait=-1', false, null],
    ['wait', false, null],
    ['wait=1e3', false, null],
    ['return=minimal; respond-async', false, null],
    [' respond-async ;a="b"', true, null],
  ]
  for (const [header, respondAsync, wait] of cases) t.same(parsePrefer(header), { respondAsync, wait }, String(header))
})

t.test('no header is a fault', async () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (header) => typeof parsePrefer(header).respondAsync === 'boolean'))
})
