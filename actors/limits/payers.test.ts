import t from 'tap'
import { testPlans } from '../../platform/limits/testing/plans.ts'
import { payersOf, type Account } from './payers.ts'

const plans = testPlans({}, { gold: {} })
const paidBy = (named: string | null, account?: Partial<Account>): string[] =>
  payersOf(plans, named, account === undefined ? undefined : { userId: null, actsForOthers: false, plan: 'gold', keyId: null, ...account }).map(({ key, plan }) => `${key} ${plan.name}`)

t.test('who pays follows from the credentials, and for whom they act', (t) => {
  t.same(paidBy('ann', { userId: 'ann' }), ['user:ann gold'], 'a user')
  t.same(paidBy('ann', { userId: 'ann', keyId: 'k' }), ['user:ann gold'], 'a key of a user, whichever')
  t.same(paidBy('bob', { userId: 'ann', actsForOthers: true }), ['user:ann gold'], 'an administrator')
  t.same(paidBy('bob', { keyId: 'k', actsForOthers: true }), ['user:bob default', 'key:k gold'], 'a partner, for one of its users')
  t.same(paidBy(null, { keyId: 'k', actsForOthers: true }), ['key:k gold'])
  t.same(paidBy(null, { userId: 'ann', keyId: 'k', actsForOthers: true }), ['user:ann gold', 'key:k gold'], 'and for itself')
  t.same(paidBy('bob', { userId: 'ann', keyId: 'k', actsForOthers: true }), ['user:bob default', 'key:k gold'])
  t.same(paidBy('ann', { actsForOthers: true, plan: 'default' }), ['user:ann default'], 'without authentication')
  t.same(paidBy(null, { actsForOthers: true, plan: 'default' }), [])
  t.same(paidBy('ann'), ['user:ann default'])
  t.end()
})
