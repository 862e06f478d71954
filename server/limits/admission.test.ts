import t from 'tap'
import type { Limit } from '../../platform/limits/limits.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { PlanWindows } from '../../actors/limits/plan-windows.ts'
import { testLimits } from '../testing/test-limits.ts'
import { RequestWindows } from './request-windows.ts'

const ann = { userId: 'ann', actsForOthers: false, plan: 'default', keyId: null }
const partner = { userId: null, actsForOthers: true, plan: 'partner', keyId: 'k1' }

t.test('requests beyond the limit are refused with when to come back, and the answer says how many are left', async (t) => {
  const refusals: string[] = []
  const { admission } = testLimits({ plans: testPlans({ requests_per_minute: 2 }), refused: (limit) => refusals.push(limit) })
  const [first, second, third] = [await admission.admit(ann, undefined), await admission.admit(ann, undefined), await admission.admit(ann, undefined)]
  t.same(first, { headers: { 'RateLimit-Policy': '"requests_per_minute";q=2;w=60', RateLimit: '"requests_per_minute";r=1;t=60' }, refusal: null })
  t.match(second.headers, { RateLimit: /^"requests_per_minute";r=0;t=\d+$/ })
  t.match(third, { headers: { RateLimit: /;r=0;t=\d+$/ }, refusal: { code: 'rate_limited' } })
  t.ok((third.refusal?.retryAfterMs ?? 0) > 50_000)
  t.equal((await admission.admit({ ...ann, userId: 'bob' }, undefined)).refusal, null)
  t.same(refusals, ['requests_per_minute'])
})

t.test('an address has its own limit, before it is known who asks', async (t) => {
  const refusals: string[] = []
  const { admission } = testLimits({ addressPoints: 1, refused: (limit) => refusals.push(limit) })
  t.match(await admission.meet('a'), { headers: { RateLimit: '"requests_per_address";r=0;t=60' }, refusal: null })
  t.match(await admission.meet('a'), { refusal: { code: 'rate_limited', retryAfterMs: Number } })
  t.equal((await admission.meet('b')).refusal, null)
  t.same(refusals, ['requests_per_address'])
})

t.test('a key that acts for others counts as a whole and for each user that it names', async (t) => {
  const { admission } = testLimits({ plans: testPlans({ requests_per_minute: 2 }, { partner: { requests_per_minute: 5 } }) })
  const ask = async (user?: string) => (await admission.admit(partner, user)).refusal === null
  t.same([await ask('ann'), await ask('ann'), await ask('ann')], [true, true, false])
  t.same([await ask('bob'), await ask(), await ask()], [true, true, false])
})

t.test('no request waits for a limit but the first of a window, and what others have used is heard of afterwards', async (t) => {
  let remaining = 100
  let asked = 0
  let answer: () => void = () => undefined
  const slow: Limit = {
    take: async () => {
      asked += 1
      if (asked > 1) await new Promise<void>((resolve) => (answer = resolve))
      remaining -= 1
      return { allowed: remaining >= 0, remaining: Math.max(0, remaining), resetMs: 60_000, retryAfterMs: 60_000 }
    },
    charge: () => Promise.resolve(),
    giveBack: () => Promise.resolve(),
  }
  let now = 0
  const requests = new RequestWindows(new PlanWindows({ limit: () => slow }), () => now)
  const payer = { key: 'user:ann', plan: testPlans({ requests_per_minute: 100 }).default }
  t.match(await requests.take(payer), { remaining: 99 })
  t.match(await requests.take(payer), { allowed: true, remaining: 98 })
  remaining = 3
  answer()
  await new Promise(setImmediate)
  t.match(await requests.take(payer), { allowed: true, remaining: 1 })
  t.match(await requests.take(payer), { allowed: true, remaining: 0 })
  t.match(await requests.take(payer), { allowed: false, resetMs: 60_000 })
  t.equal(asked, 4)
  now = 60_000
  asked = 0
  remaining = 100
  t.match(await requests.take(payer), { allowed: true, remaining: 99 })
})
