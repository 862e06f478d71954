/** What all Leases do, as tests: each adapter runs them. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import type { Test } from 'tap'
import type { Leases } from './leases.ts'

export async function testLeases(t: Test, leases: Leases): Promise<void> {
  const take = (id: string, keys: Readonly<Record<string, number>>, forMs = 60_000) => leases.take({ id, holders: Object.entries(keys).map(([key, most]) => ({ key, most })), forMs, note: `of ${id}` })
  const names = (count: number): string[] => Array.from({ length: count }, () => randomUUID())

  await t.test('a key has as many leases as it may, and another when one is given back', async (t) => {
    const [ann = '', bob = '', one = '', two = '', three = ''] = names(5)
    t.same(await take(one, { [ann]: 2 }), { allowed: true, isNew: true })
    t.same(await take(two, { [ann]: 2 }), { allowed: true, isNew: true })
    t.same(await take(three, { [ann]: 2 }), { allowed: false, key: ann })
    t.same(await take(three, { [bob]: 2 }), { allowed: true, isNew: true })
    t.same(await leases.giveBack(one), { keys: [ann], note: `of ${one}` })
    t.equal(await leases.giveBack(one), null)
    t.match(await take(one, { [ann]: 2 }), { allowed: true, isNew: true })
    t.match(await take(randomUUID(), { [ann]: 2 }), { allowed: false })
  })

  await t.test('what is held already is allowed however many there are, and counts once', async (t) => {
    const [ann = '', one = '', two = ''] = names(3)
    await take(one, { [ann]: 1 })
    for (let n = 0; n < 3; n += 1) t.same(await take(one, { [ann]: 1 }), { allowed: true, isNew: false })
    t.match(await take(two, { [ann]: 1 }), { allowed: false })
    await leases.giveBack(one)
    t.match(await take(two, { [ann]: 1 }), { allowed: true })
  })

  await t.test('of several holders all have it, or none', async (t) => {
    const [ann = '', key = '', one = '', two = '', three = ''] = names(5)
    await take(one, { [key]: 1 })
    t.same(await take(two, { [ann]: 1, [key]: 1 }), { allowed: false, key })
    t.match(await take(two, { [ann]: 1 }), { allowed: true })
    await leases.giveBack(one)
    await leases.giveBack(two)
    t.match(await take(three, { [ann]: 1, [key]: 1 }), { allowed: true })
    t.same(await leases.giveBack(three), { keys: [ann, key], note: `of ${three}` })
    t.match(await take(one, { [key]: 1 }), { allowed: true })
    t.match(await take(two, { [ann]: 1 }), { allowed: true })
  })

  await t.test('a lease that nobody gives back ends by itself', async (t) => {
    const [ann = '', one = '', two = '', three = ''] = names(4)
    await take(one, { [ann]: 2 }, 60_000)
    await take(two, { [ann]: 2 }, 50)
    t.match(await take(three, { [ann]: 2 }), { allowed: false })
    await delay(80)
    t.equal(await leases.giveBack(two), null)
    t.match(await take(three, { [ann]: 2 }), { allowed: true })
    t.match(await take(two, { [ann]: 2 }), { allowed: false })
  })

  await t.test('of many at once exactly as many as may are allowed', async (t) => {
    const [ann = ''] = names(1)
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => take(randomUUID(), { [ann]: 20 })))
    t.equal(verdicts.filter(({ allowed }) => allowed).length, 20)
  })

  await t.test('whatever is taken and given back, each key has as many as are held', async (t) => {
    const step = fc.record({ isTaken: fc.boolean(), id: fc.nat(5), keys: fc.subarray(['ann', 'bob', 'key']), most: fc.integer({ min: 1, max: 3 }) })
    const holds = fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
      const run = randomUUID()
      const held = new Map<string, readonly string[]>()
      for (const { isTaken, id: n, keys, most } of steps) {
        const [id, named] = [`${run} ${n}`, keys.map((key) => `${run} ${key}`)]
        if (isTaken) {
          const isHeld = held.has(id)
          const full = named.find((key) => [...held.values()].filter((other) => other.includes(key)).length >= most)
          const verdict = await take(id, Object.fromEntries(named.map((key) => [key, most])))
          if (isHeld ? !verdict.allowed || verdict.isNew : full === undefined ? !verdict.allowed || !verdict.isNew : verdict.allowed || verdict.key !== full) return false
          if (!isHeld && full === undefined) held.set(id, named)
        } else {
          const given = await leases.giveBack(id)
          if (JSON.stringify(given?.keys) !== JSON.stringify(held.get(id))) return false
          held.delete(id)
        }
      }
      return true
    })
    await fc.assert(holds, { numRuns: 50 })
    t.pass()
  })

  await t.test('without a holder a lease is a note', async (t) => {
    const [one = ''] = names(1)
    t.match(await take(one, {}), { allowed: true })
    t.same(await leases.giveBack(one), { keys: [], note: `of ${one}` })
  })

  await t.test('ids and keys are any text', async (t) => {
    for (const text of ['', ' ', 'пользователь', 'a:b\r\n', '__proto__', 'x'.repeat(1000)]) {
      t.match(await take(text, { [text]: 1 }), { allowed: true })
      t.match(await take(`${text} 2`, { [text]: 1 }), { allowed: false })
      t.match(await leases.giveBack(text), { keys: [text] })
    }
  })
}
