/** What all Leases do, as tests: each adapter runs them. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
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
