import fc from 'fast-check'
import t from 'tap'
import { largestThatFits } from './largest-that-fits.ts'

t.test('with halvings enough the limit is found, never exceeded, and nothing above the most is tried', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 5_000 }), fc.integer({ min: 1, max: 300 }), fc.integer({ min: 300, max: 4_000 }), async (limit, first, most) => {
      const tried: number[] = []
      const found = await largestThatFits(async (count) => {
        tried.push(count)
        return count <= limit
      }, first, most, 20)
      t.ok(tried.every((count) => count >= first && count <= most))
      t.equal(new Set(tried).size, tried.length, 'nothing is tried twice')
      t.equal(found, limit < first ? 0 : Math.min(limit, most))
    }),
  )
})

t.test('with fewer halvings the answer fits, and is as near as they allow', async (t) => {
  t.equal(await largestThatFits(async (count) => count <= 1_900, 250, 4_000, 2), 1_750)
})
