import t from 'tap'
import { testLeases } from '../leases.conformance.ts'
import { MemoryLeases } from './memory-leases.ts'

t.test('leases in memory conform', (t) => testLeases(t, new MemoryLeases({ monotonic: () => performance.now() })))

t.test('more leases than there is room for are allowed, and forgotten', async (t) => {
  const leases = new MemoryLeases({ monotonic: () => 0, most: 2 })
  const take = (id: string, key: string) => leases.take({ id, holders: [{ key, most: 1 }], forMs: 1_000, note: '' })
  for (const id of ['a', 'b', 'c', 'd']) t.match(await take(id, id === 'a' ? 'ann' : id === 'b' ? 'bob' : 'eve'), { allowed: true })
  t.match(await take('e', 'ann'), { allowed: false })
  t.equal(await leases.giveBack('c'), null)
  t.match(await leases.giveBack('a'), { keys: ['ann'] })
})

t.test('leases of keys that nobody asks for any more are forgotten once they have ended', async (t) => {
  let now = 0
  const leases = new MemoryLeases({ monotonic: () => now, most: 100 })
  for (let n = 0; n < 100; n += 1) await leases.take({ id: `${n}`, holders: [{ key: `${n}`, most: 1 }], forMs: 1_000, note: '' })
  now = 20_000
  await leases.take({ id: 'new', holders: [{ key: 'ann', most: 1 }], forMs: 1_000, note: '' })
  t.match(await leases.giveBack('new'), { keys: ['ann'] })
})
