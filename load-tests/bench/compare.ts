/**
 * Paired measurement: each case runs in turn, round after round, in one process, so that what the machine does to one it
 * does to all. Figures are CPU time (user and system) per operation.
 */
import type { Table } from './result.ts'

export interface BenchCase {
  readonly name: string
  /** Does `operations` of the work that is compared. */
  run(): void | Promise<void>
}

export interface Comparison {
  readonly title: string
  /** What one operation is, e.g. `frame`. */
  readonly unit: string
  readonly operations: number
  readonly rounds: number
  /** The first case is ours. */
  readonly cases: readonly [BenchCase, ...BenchCase[]]
}

/** A round that does not count comes first. */
export async function compare({ title, unit, operations, rounds, cases }: Comparison): Promise<Table> {
  for (const each of cases) await each.run()
  const measured = cases.map((each) => ({ each, samples: [] as number[] }))
  for (let round = 0; round < rounds; round += 1) {
    for (const { each, samples } of measured) {
      const before = process.cpuUsage()
      await each.run()
      const { user, system } = process.cpuUsage(before)
      samples.push((user + system) / operations)
    }
  }
  const figure = `CPU a ${unit}`
  return { title, compared: figure, contestants: measured.map(({ each, samples }, index) => ({ name: each.name, ...(index === 0 ? { isOurs: true as const } : {}), figures: [{ name: figure, unit: 'µs', samples }] })) }
}
