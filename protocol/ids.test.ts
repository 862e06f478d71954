import fc from 'fast-check'
import t from 'tap'
import { bucketCount, bucketOfId, bucketOfTurn, bucketOfUser, firstSequenceOfMonth, makeId, monthOf, newTurnId, sequenceOfId } from './ids.ts'
import { TurnId } from './websocket/fields.ts'

t.test('buckets of users never change', async (t) => {
  const pinned: Record<string, number> = { '': 11, a: 435, user123: 104, 'alice@example.org': 993, 'Zoë': 299, '用户': 976, '🦊': 147, '\ud800': 570 }
  for (const [user, bucket] of Object.entries(pinned)) t.equal(bucketOfUser(user), bucket, JSON.stringify(user))
  t.equal(bucketOfUser('\ud800'), bucketOfUser('\ufffd'), 'a lone surrogate counts as the replacement character')
})

t.test('the hash is the one described, over the bytes of UTF-8', async () => {
  const described = (user: string): number => {
    let hash = 0x811c9dc5n
    for (const byte of new TextEncoder().encode(user)) hash = ((hash ^ BigInt(byte)) * 0x01000193n) & 0xffffffffn
    hash = ((hash ^ (hash >> 16n)) * 0x85ebca6bn) & 0xffffffffn
    hash = ((hash ^ (hash >> 13n)) * 0xc2b2ae35n) & 0xffffffffn
    return Number((hash ^ (hash >> 16n)) & 1023n)
  }
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (user) => bucketOfUser(user) === described(user)))
})

t.test('users spread evenly over the buckets', async (t) => {
  const users = 100 * bucketCount
  const counts = new Array<number>(bucketCount).fill(0)
  for (let i = 0; i < users; i++) {
    const bucket = bucketOfUser(`user${i}`)
    counts[bucket] = (counts[bucket] as number) + 1
  }
  // Chi-squared with 1,023 degrees of freedom: a fair hash stays below 1,200 but once in ten thousand sets of users.
  const chiSquared = counts.reduce((sum, count) => sum + (count - 100) ** 2 / 100, 0)
  t.ok(chiSquared < 1200, `chi-squared ${chiSquared}`)
})

t.test('an id holds its sequence and its bucket', async (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 2 ** 43 - 1 }), fc.integer({ min: 0, max: 1023 }), (sequence, bucket) => {
      const id = makeId(sequence, bucket)
      return Number.isSafeInteger(id) && sequenceOfId(id) === sequence && bucketOfId(id) === bucket
    }),
  )
  t.throws(() => makeId(2 ** 43, 0), RangeError)
  t.throws(() => makeId(1, 1024), RangeError)
  t.throws(() => makeId(-1, 0), RangeError)
  t.throws(() => makeId(1.5, 0.5), RangeError)
})

t.test('a month is a range of ids known ahead', async (t) => {
  t.equal(monthOf(Date.UTC(2025, 0, 1)), 0)
  t.equal(monthOf(Date.UTC(2025, 0, 31, 23, 59, 59, 999)), 0)
  t.equal(monthOf(Date.UTC(2026, 10, 24)), 22)
  t.equal(firstSequenceOfMonth(0), 0)
  t.equal(firstSequenceOfMonth(22), 22 * 8589934592)
  t.ok(Number.isSafeInteger(makeId(firstSequenceOfMonth(1023), 1023)), 'until the year 2110')
})

t.test('a turn id is a UUIDv7 that names its bucket and its time', async (t) => {
  const pattern = new RegExp((TurnId as { pattern?: string }).pattern as string)
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1023 }), fc.integer({ min: 0, max: 2 ** 48 - 1 }), (bucket, now) => {
      const id = newTurnId(bucket, now)
      return pattern.test(id) && bucketOfTurn(id) === bucket && Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16) === now
    }),
  )
  t.throws(() => newTurnId(1024), RangeError)
  const before = Date.now()
  const time = Number.parseInt(newTurnId(1).replaceAll('-', '').slice(0, 12), 16)
  t.ok(time >= before && time <= Date.now(), 'now, where no time is given')
})

t.test('turn ids of one millisecond and bucket all differ, over many fills of the pool', async (t) => {
  const ids = new Set<string>()
  for (let i = 0; i < 5000; i++) ids.add(newTurnId(7, 1_790_000_000_000))
  t.equal(ids.size, 5000)
})
