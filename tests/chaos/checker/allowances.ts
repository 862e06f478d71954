import type { Allowance, FaultWindow } from './evidence.ts'

/** What the faults that touched a span of time excuse together. */
export interface Excuses {
  readonly restart: boolean
  readonly overlap: boolean
  readonly refusals: ReadonlySet<string>
  readonly failures: ReadonlySet<string>
}

export function excusesFor(faults: readonly FaultWindow[], from: number, until: number): Excuses {
  const touching: readonly Allowance[] = faults.filter((fault) => fault.from <= until && fault.until >= from).map(({ allowance }) => allowance)
  return {
    restart: touching.some(({ restart }) => restart === true),
    overlap: touching.some(({ overlap }) => overlap === true),
    refusals: new Set(touching.flatMap(({ refusals = [] }) => refusals)),
    failures: new Set(touching.flatMap(({ failures = [] }) => failures)),
  }
}
