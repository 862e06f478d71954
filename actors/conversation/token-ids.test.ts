import fc from 'fast-check'
import t from 'tap'
import { appendIds, dropIds, emptyIds, joinIds, type TokenIds } from './token-ids.ts'

const bytesOf = (ids: readonly number[]): Uint8Array => new Uint8Array(new Uint32Array(ids).buffer)

t.test('values that grew from one another keep their own ids', async () => {
  const append = fc.record({ to: fc.nat(20), ids: fc.array(fc.nat(2 ** 32 - 1), { maxLength: 90 }) })
  fc.assert(
    fc.property(fc.array(append, { maxLength: 20 }), (appends) => {
      const values: { readonly ids: TokenIds; readonly expected: readonly number[] }[] = [{ ids: emptyIds, expected: [] }]
      for (const { to, ids } of appends) {
        const from = values[to % values.length] as (typeof values)[number]
        values.push({ ids: appendIds(from.ids, bytesOf(ids)), expected: [...from.expected, ...ids] })
      }
      return values.every(({ ids, expected }) => ids.count === expected.length && Buffer.compare(joinIds(ids), bytesOf(expected)) === 0)
    }),
  )
})

t.test('what was appended is a copy, and a message of the bus is not kept for it', async (t) => {
  const message = bytesOf([1, 2, 3])
  const ids = appendIds(emptyIds, message.subarray(4, 8))
  message.fill(0)
  t.same([...joinIds(ids)], [2, 0, 0, 0])
})

t.test('ids that are held already are left out', async (t) => {
  t.same([...dropIds(bytesOf([1, 2]), 1)], [2, 0, 0, 0])
  t.same([...dropIds(bytesOf([1, 2]), 5)], [])
})
