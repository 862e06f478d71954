/** What all Limits do, as tests: each adapter runs them. */
import { randomUUID } from 'node:crypto'
import { setTimeout as delay } from 'node:timers/promises'
import fc from 'fast-check'
import type { Test } from 'tap'
import type { LimitDefinition, Limits } from './limits.ts'

const perMinute = (points: number): LimitDefinition => ({ name: randomUUID(), points, perSeconds: 60 })

export async function testLimits(t: Test, limits: Limits): Promise<void> {
  await t.test('a key has its points, and is told when there are new ones', async (t) => {
    const limit = limits.limit(perMinute(3))
    for (const remaining of [2, 1, 0]) t.match(await limit.take('ann'), { allowed: true, remaining, retryAfterMs: 0 })
    const refused = await limit.take('ann')
    t.match(refused, { allowed: false, remaining: 0 })
    t.ok(refused.retryAfterMs > 55_000 && refused.retryAfterMs <= 60_000, `${refused.retryAfterMs} ms`)
    t.equal(refused.resetMs, refused.retryAfterMs)
    const { resetMs, ...other } = await limit.take('bob')
    t.same(other, { allowed: true, remaining: 2, retryAfterMs: 0 })
    t.ok(resetMs > 55_000 && resetMs <= 60_000, `${resetMs} ms`)
  })

  await t.test('limits of different names do not know of each other', async (t) => {
    const [one, two] = [limits.limit(perMinute(1)), limits.limit(perMinute(1))]
    t.match(await one.take('ann'), { allowed: true })
    t.match(await two.take('ann'), { allowed: true })
    t.match(await one.take('ann'), { allowed: false })
  })

  await t.test('a cost may be more than one point, and given back', async (t) => {
    const limit = limits.limit(perMinute(10))
    t.match(await limit.take('ann', 8), { allowed: true, remaining: 2 })
    await limit.giveBack('ann', 5)
    t.match(await limit.take('ann', 7), { allowed: true, remaining: 0 })
    t.match(await limit.take('ann'), { allowed: false })
  })

  await t.test('what is refused costs nothing', async (t) => {
    const limit = limits.limit(perMinute(10))
    await limit.take('ann', 8)
    t.match(await limit.take('ann', 3), { allowed: false, remaining: 2 })
    t.match(await limit.take('ann', 2), { allowed: true, remaining: 0 })
  })

  await t.test('no more is given back than was taken', async (t) => {
    const limit = limits.limit(perMinute(3))
    await limit.giveBack('ann', 5)
    await limit.take('ann')
    await limit.giveBack('ann', 5)
    t.match(await limit.take('ann', 3), { allowed: true, remaining: 0 })
    t.match(await limit.take('ann'), { allowed: false })
  })

  await t.test('a look takes nothing, and is allowed while anything is left', async (t) => {
    const limit = limits.limit(perMinute(2))
    for (let n = 0; n < 5; n += 1) t.match(await limit.take('ann', 0), { allowed: true, remaining: 2 })
    await limit.take('ann', 2)
    t.match(await limit.take('ann', 0), { allowed: false, remaining: 0 })
    t.ok((await limit.take('ann', 0)).retryAfterMs > 55_000)
  })

  await t.test('what is charged afterwards may be more than is left, and is missing until the window ends', async (t) => {
    const limit = limits.limit(perMinute(10))
    await limit.charge('ann', 4)
    t.match(await limit.take('ann', 0), { allowed: true, remaining: 6 })
    await limit.charge('ann', 40)
    t.match(await limit.take('ann', 0), { allowed: false, remaining: 0 })
    await limit.giveBack('ann', 30)
    t.match(await limit.take('ann'), { allowed: false, remaining: 0 })
    await limit.giveBack('ann', 10)
    t.match(await limit.take('ann', 6), { allowed: true, remaining: 0 })
  })

  await t.test('limits of one name count together, each with its own points', async (t) => {
    const name = randomUUID()
    const [few, many] = [3, 10].map((points) => limits.limit({ name, points, perSeconds: 60 }))
    if (few === undefined || many === undefined) throw new Error('two were made')
    t.match(await few.take('ann', 3), { allowed: true, remaining: 0 })
    t.match(await few.take('ann'), { allowed: false })
    t.match(await many.take('ann', 4), { allowed: true, remaining: 3 })
    t.match(await few.take('ann', 0), { allowed: false, remaining: 0 })
  })

  await t.test('of many takes at once exactly the points are allowed', async (t) => {
    const limit = limits.limit(perMinute(20))
    const verdicts = await Promise.all(Array.from({ length: 50 }, () => limit.take('ann')))
    t.equal(verdicts.filter(({ allowed }) => allowed).length, 20)
  })

  await t.test('whatever is taken, charged and given back, what is left is what a sum says', async (t) => {
    const step = fc.record({ what: fc.constantFrom('take', 'charge', 'give back'), key: fc.constantFrom('ann', 'bob'), cost: fc.nat(6) })
    const holds = fc.asyncProperty(fc.integer({ min: 1, max: 10 }), fc.array(step, { maxLength: 20 }), async (points, steps) => {
      const limit = limits.limit(perMinute(points))
      const used = { ann: 0, bob: 0 }
      for (const { what, key, cost } of steps) {
        if (what === 'charge') {
          await limit.charge(key, cost)
          used[key] += cost
        } else if (what === 'give back') {
          await limit.giveBack(key, cost)
          used[key] = Math.max(0, used[key] - cost)
        } else {
          const allowed = cost === 0 ? used[key] < points : used[key] + cost <= points
          if (allowed) used[key] += cost
          const verdict = await limit.take(key, cost)
          if (verdict.allowed !== allowed || verdict.remaining !== Math.max(0, points - used[key])) return false
        }
      }
      return true
    })
    await fc.assert(holds, { numRuns: 50 })
    t.pass()
  })

  await t.test('a new window begins by itself, whatever was refused in the one before', async (t) => {
    const limit = limits.limit({ name: randomUUID(), points: 1, perSeconds: 1 })
    await limit.take('ann')
    const { allowed, retryAfterMs } = await limit.take('ann')
    t.equal(allowed, false)
    await delay(retryAfterMs + 20)
    t.match(await limit.take('ann'), { allowed: true })
  })

  await t.test('a key is any text', async (t) => {
    const limit = limits.limit(perMinute(1))
    for (const key of ['', ' ', 'пользователь', 'a:b\r\n', '__proto__', 'x'.repeat(1000)]) t.match(await limit.take(key), { allowed: true }, key)
  })
}
