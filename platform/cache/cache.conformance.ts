/** What every Cache does, as tests: each adapter runs them. */
import { randomUUID } from 'node:crypto'
import type { Test } from 'tap'
import { maxEntryBytes, type Cache } from './cache.ts'

const minuteMs = 60_000
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** `wait` lets time go on, for this cache. */
export async function testCache(t: Test, cache: Cache, wait: (ms: number) => Promise<void>): Promise<void> {
  await t.test('what is put is got, byte for byte, until it is put anew or deleted', async (t) => {
    const [key, other] = [randomUUID(), randomUUID()]
    t.equal(await cache.get(key), null)
    const every = Uint8Array.from({ length: 256 }, (_, byte) => byte)
    await cache.put(key, every, minuteMs)
    await cache.put(other, bytes('other'), minuteMs)
    t.same([...((await cache.get(key)) ?? [])], [...every])
    await cache.put(key, bytes('anew'), minuteMs)
    t.same([...((await cache.get(key)) ?? [])], [...bytes('anew')])
    await cache.delete(key)
    await cache.delete(key)
    t.equal(await cache.get(key), null)
    t.same([...((await cache.get(other)) ?? [])], [...bytes('other')])
  })

  await t.test('a view of something larger is kept as what it shows, whatever becomes of the rest', async (t) => {
    const key = randomUUID()
    const slab = bytes('before, the entry, after')
    await cache.put(key, slab.subarray(8, 17), minuteMs)
    slab.fill(0)
    t.same([...((await cache.get(key)) ?? [])], [...bytes('the entry')])
  })

  await t.test('an entry is gone after its time to live', async (t) => {
    const [short, long] = [randomUUID(), randomUUID()]
    await cache.put(short, bytes('short'), 40)
    await cache.put(long, bytes('long'), minuteMs)
    await wait(60)
    t.equal(await cache.get(short), null)
    t.ok(await cache.get(long))
  })

  await t.test('the largest entry is kept; a larger one and an empty one are not', async (t) => {
    const key = randomUUID()
    const largest = new Uint8Array(maxEntryBytes).fill(7)
    await cache.put(key, largest, minuteMs)
    t.ok(Buffer.from((await cache.get(key)) ?? []).equals(largest))
    const other = randomUUID()
    await cache.put(other, new Uint8Array(maxEntryBytes + 1), minuteMs)
    t.equal(await cache.get(other), null)
    await cache.put(other, new Uint8Array(0), minuteMs)
    t.equal(await cache.get(other), null)
  })

  await t.test('keys are any text, and many are asked for at once', async (t) => {
    const keys = Array.from({ length: 200 }, (_, n) => `${randomUUID()} \r\n ключ:${n}`)
    await Promise.all(keys.map((key) => cache.put(key, bytes(key), minuteMs)))
    const got = await Promise.all(keys.map((key) => cache.get(key)))
    t.same(got.map((entry) => Buffer.from(entry ?? []).toString()), keys)
  })
}
