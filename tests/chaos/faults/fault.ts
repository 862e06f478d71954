import type { Allowance } from '../checker/evidence.ts'
import type { Load } from '../load/load.ts'
import type { Random } from '../random.ts'
import type { Services } from '../system/services.ts'
import type { System } from '../system/system.ts'

export interface FaultContext {
  readonly system: System
  readonly services: Services
  readonly load: Load
  readonly random: Random
}

export interface Fault {
  /** As it is chosen on the command line, and shown. */
  readonly name: string
  readonly allowance: Allowance
  /** Does it, and undoes it. Resolves once everything is whole again, as far as it can be seen from outside. */
  readonly inflict: (context: FaultContext) => Promise<void>
}

/** Milliseconds of trouble, drawn between the two. */
export function troubleFor({ random }: FaultContext, low: number, high: number): Promise<void> {
  const ms = random.between(low, high)
  return new Promise((resolve) => setTimeout(resolve, ms))
}

/** Both at once. Between them they may reach everybody who knows a reply's text. */
export function together(one: Fault, other: Fault): Fault {
  const all = [one.allowance, other.allowance]
  return {
    name: `${one.name} + ${other.name}`,
    allowance: { restart: true, overlap: true, refusals: all.flatMap(({ refusals = [] }) => refusals), failures: all.flatMap(({ failures = [] }) => failures) },
    inflict: async (context) => {
      const forked = { ...context, random: context.random.fork() }
      await Promise.all([one.inflict(context), other.inflict(forked)])
    },
  }
}
