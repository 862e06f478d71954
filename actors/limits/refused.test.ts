import t from 'tap'
import { ChatError } from '../../protocol/errors.ts'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { LimitError } from './limit-error.ts'
import { Refused } from './refused.ts'

const plan = testPlans().default
const [ann, bob] = [[{ key: 'user:ann', plan }], [{ key: 'user:bob', plan }]]
const minute = new LimitError('rate_limited', 'Too many.', { window: 'turns_per_minute', points: 60, resetMs: 60_000 })
const full = new ChatError('too_many_turns', undefined, { retryAfterMs: 2_000 })

t.test('who has nothing left is told so for two seconds, with what is left of the wait, unless something is given back', (t) => {
  let now = 0
  const refused = new Refused(() => now)
  t.equal(refused.of(ann), null)
  refused.usedUp(ann, minute)
  now = 1_500
  t.match(refused.of(ann), { code: 'rate_limited', message: 'Too many.', retryAfterMs: 58_500, window: 'turns_per_minute', points: 60 })
  t.equal(refused.of(bob), null)
  now = 2_000
  t.equal(refused.of(ann), null)
  refused.usedUp(ann, minute)
  refused.forget(ann)
  t.equal(refused.of(ann), null)
  refused.usedUp(ann, new LimitError('rate_limited', 'Too many.', { window: 'turns_per_minute', points: 60, resetMs: 100 }))
  now += 100
  t.equal(refused.of(ann), null, 'the window has ended')
  t.end()
})

t.test('who waits for a turn to end may ask at once, and only who insists is put off', (t) => {
  let now = 0
  const refused = new Refused(() => now)
  for (let n = 0; n < 9; n += 1) {
    refused.full(ann, full)
    t.equal(refused.of(ann), null)
  }
  refused.full(ann, full)
  t.match(refused.of(ann), { code: 'too_many_turns' })
  now += 250
  t.equal(refused.of(ann), null)
  refused.full(ann, full)
  t.not(refused.of(ann), null)
  refused.forget(ann)
  refused.full(ann, full)
  t.equal(refused.of(ann), null)
  t.end()
})

t.test('as many are remembered as there is room for, the newest', (t) => {
  const refused = new Refused(() => 0)
  for (let n = 0; n < 10_001; n += 1) refused.usedUp([{ key: `user:${n}`, plan }], minute)
  t.equal(refused.of([{ key: 'user:0', plan }]), null)
  t.not(refused.of([{ key: 'user:1', plan }]), null)
  t.end()
})
