/** Plans for tests: without limits but those that a test sets. */
import { Plans, type Plan } from '../plan.ts'

const unlimited: Plan = {
  name: 'default',
  lane: 'standard',
  requests_per_minute: null,
  turns_per_minute: null,
  concurrent_turns: null,
  tokens_in_per_minute: null,
  tokens_in_per_day: null,
  tokens_out_per_minute: null,
  tokens_out_per_day: null,
  sockets: 20,
  max_tokens: null,
}

/** `plan` changes the default plan; `plans` are further ones, by name. */
export function testPlans(plan: Partial<Plan> = {}, plans: Readonly<Record<string, Partial<Plan>>> = {}, unknown: (name: string) => void = () => undefined): Plans {
  const base = { ...unlimited, ...plan }
  return new Plans([base, ...Object.entries(plans).map(([name, changes]) => ({ ...base, ...changes, name }))], unknown)
}
