import t from 'tap'
import { StartupFault } from '../lifecycle/startup-fault.ts'
import { plansOf, readPlans } from './plans-file.ts'
import { testPlans } from './testing/plans.ts'

const configured = testPlans({ turns_per_minute: 60, concurrent_turns: 64 }).default
const faultOf = (text: string): string => {
  try {
    plansOf('plans.json', text, configured)
  } catch (error) {
    if (error instanceof StartupFault) return error.message
    throw error
  }
  return ''
}

t.test('a plan changes what it names, the default plan what options set, and null is no limit', (t) => {
  const plans = plansOf('plans.json', JSON.stringify({ plans: { gold: { lane: 'premium', turns_per_minute: 300, concurrent_turns: null }, default: { turns_per_minute: 20, tokens_out_per_day: 1000 } } }), configured)
  t.same(plans, [
    { ...configured, turns_per_minute: 20, tokens_out_per_day: 1000 },
    { ...configured, name: 'gold', lane: 'premium', turns_per_minute: 300, concurrent_turns: null, tokens_out_per_day: 1000 },
  ])
  t.same(plansOf('plans.json', '{"plans":{}}', configured), [configured])
  t.end()
})

t.test('every fault of the file is told at once', (t) => {
  const message = faultOf(JSON.stringify({ plans: { gold: { lane: 'fast', turns_per_minute: 0, turns_per_hour: 5 }, silver: { sockets: null } }, more: 1 }))
  for (const told of ['has 5 faults', 'more: there is no such field', 'plans.gold.lane is to be premium', 'plans.gold.turns_per_minute is to be a whole number', 'plans.gold.turns_per_hour: there is no such field', 'plans.silver.sockets is to be']) t.match(message, told)
  t.match(faultOf('{'), 'it is not JSON')
  for (const text of ['[]', '1', 'null', '{}', '{"plans":[]}']) t.match(faultOf(text), 'it is not an object')
  t.match(faultOf('{"plans":{"gold":5}}'), 'plans.gold is no object')
  t.match(faultOf('{"plans":{"a b":{}}}'), 'cannot be the name of a plan')
  t.end()
})

t.test('a file that cannot be read is told by its name', async (t) => {
  await t.rejects(readPlans('/nowhere/plans.json', configured), /\/nowhere\/plans\.json has a fault:\n {2}- there is no such file/)
})

t.test('an unknown plan is the default plan, told once a name, and of so many names at most', (t) => {
  const told: string[] = []
  const plans = testPlans({}, { gold: {} }, (name) => told.push(name))
  t.equal(plans.of('gold').name, 'gold')
  for (let n = 0; n < 3; n += 1) t.equal(plans.of('platinum').name, 'default')
  t.same(told, ['platinum'])
  for (let n = 0; n < 1000; n += 1) plans.of(`${n}`)
  t.equal(told.length, 100)
  t.equal(plans.of('__proto__').name, 'default')
  t.end()
})
