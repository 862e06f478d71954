/** The plans that an operator writes down, as JSON: `{"plans": {"premium": {"lane": "premium", "turns_per_minute": 300}}}`. */
import { readFile } from 'node:fs/promises'
import Type, { type TSchema } from 'typebox'
import { Compile, type Validator } from 'typebox/compile'
import { Lane } from '../../protocol/bus/origin.ts'
import { exitCodes, StartupFault } from '../lifecycle/startup-fault.ts'
import { defaultPlanName, type Plan } from './plan.ts'

const planName = /^[A-Za-z0-9_.-]{1,64}$/

interface Field {
  readonly schema: Validator
  /** What it is to be, for people. */
  readonly wanted: string
}

const field = (schema: TSchema, wanted: string): Field => ({ schema: Compile(schema), wanted })
const count = (most: number): Field => field(Type.Union([Type.Integer({ minimum: 1, maximum: most }), Type.Null()]), `a whole number from 1 to ${most}, or null for no limit`)
const counts = count(1_000_000_000_000)

const fields: { readonly [Name in Exclude<keyof Plan, 'name'>]: Field } = {
  lane: field(Lane, 'premium, standard or batch'),
  requests_per_minute: counts,
  turns_per_minute: counts,
  concurrent_turns: counts,
  tokens_in_per_minute: counts,
  tokens_in_per_day: counts,
  tokens_out_per_minute: counts,
  tokens_out_per_day: counts,
  sockets: field(Type.Integer({ minimum: 1, maximum: 100_000 }), 'a whole number from 1 to 100000'),
  max_tokens: count(131_072),
}

type PlanFields = Partial<Omit<Plan, 'name'>>

/**
 * `configured` is the default plan as options set it; what the file says of `default` goes before, and what a plan does
 * not say is as in the default plan. Rejects with StartupFault, which lists every fault of the file.
 */
export async function readPlans(path: string, configured: Plan): Promise<readonly Plan[]> {
  const text = await readFile(path, 'utf8').catch((cause: NodeJS.ErrnoException) => {
    throw fault(path, [cause.code === 'ENOENT' ? 'there is no such file' : `it cannot be read (${cause.code ?? cause.message})`], cause)
  })
  return plansOf(path, text, configured)
}

/** `path` is for the fault. */
export function plansOf(path: string, text: string, configured: Plan): readonly Plan[] {
  const file = parsed(path, text)
  const plans = isObject(file) ? file['plans'] : undefined
  if (!isObject(file) || !isObject(plans)) throw fault(path, ['it is not an object with `plans`, an object of plans by name'])
  const faults = [
    ...Object.keys(file).filter((name) => name !== 'plans').map((name) => `${name}: there is no such field`),
    ...Object.entries(plans).flatMap(([name, plan]) => faultsOf(name, plan)),
  ]
  if (faults.length > 0) throw fault(path, faults)
  const { [defaultPlanName]: changes = {}, ...others } = plans as Readonly<Record<string, PlanFields>>
  const base = changed(configured, defaultPlanName, changes)
  return [base, ...Object.entries(others).map(([name, each]) => changed(base, name, each))]
}

function faultsOf(name: string, plan: unknown): string[] {
  const shown = name.slice(0, 100)
  if (!planName.test(name)) return [`${JSON.stringify(shown)} cannot be the name of a plan: letters, digits, _ . - only, 64 at most`]
  if (!isObject(plan)) return [`plans.${shown} is no object`]
  return Object.entries(plan).flatMap(([key, value]) => {
    if (!Object.hasOwn(fields, key)) return [`plans.${shown}.${key.slice(0, 100)}: there is no such field`]
    const { schema, wanted } = fields[key as keyof typeof fields]
    return schema.Check(value) ? [] : [`plans.${shown}.${key} is to be ${wanted}`]
  })
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function parsed(path: string, text: string): unknown {
  try {
    return JSON.parse(text)
  } catch (cause) {
    throw fault(path, [`it is not JSON: ${(cause as Error).message}`], cause)
  }
}

function changed(base: Plan, name: string, fields: PlanFields): Plan {
  return Object.freeze({ ...base, ...fields, name })
}

function fault(path: string, faults: readonly string[], cause?: unknown): StartupFault {
  const list = faults.map((each) => `  - ${each}`).join('\n')
  return new StartupFault(`The file of plans ${path} has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${list}`, 'See docs/limits.md for what a plan may say, or leave out CHATTERBOT_PLANS_FILE.', { exitCode: exitCodes.config, cause })
}
