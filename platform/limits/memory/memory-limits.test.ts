import t from 'tap'
import { testLimits } from '../limits.conformance.ts'
import { MemoryLimits } from './memory-limits.ts'

t.test('limits in memory conform', (t) => testLimits(t, new MemoryLimits({ monotonic: () => performance.now() })))

t.test('keys without end are counted together, beside those that came before', async (t) => {
  let now = 0
  const limit = new MemoryLimits({ monotonic: () => now, mostKeys: 10 }).limit({ name: 'test', points: 5, perSeconds: 60 })
  for (let n = 0; n < 10; n += 1) t.match(await limit.take(`early ${n}`, 3), { remaining: 2 })
  const verdicts = await Promise.all(Array.from({ length: 20_000 }, (_, n) => limit.take(`late ${n}`)))
  t.equal(verdicts.filter(({ allowed }) => allowed).length, 5 * 1024)
  t.match(await limit.take('early 3', 2), { allowed: true, remaining: 0 })
  now += 60_000
  t.match(await limit.take('a new window'), { remaining: 4 })
})
