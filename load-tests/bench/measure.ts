/**
 * Paired measurement: each case runs in turn, round after round, in one process, so that what the machine does to one it
 * does to all. Figures are CPU time (user and system) per operation; medians of the rounds, with their range.
 */
export interface BenchCase {
  readonly name: string
  /** Does `operations` of the work that is compared. */
  run(): void | Promise<void>
}

export interface BenchOptions {
  readonly title: string
  /** What one operation is, e.g. `frame`. */
  readonly unit: string
  readonly operations: number
  readonly rounds?: number
  /** The first case is ours; ratios are ours to each other. */
  readonly cases: readonly [BenchCase, ...BenchCase[]]
}

export interface BenchRow {
  readonly name: string
  readonly cpuMicroseconds: { readonly min: number; readonly median: number; readonly max: number }
  /** Ours to this one, of the medians; 1 for ours. */
  readonly ratio: number
}

const defaultRounds = 7

export async function compare(options: BenchOptions): Promise<BenchRow[]> {
  const { cases, operations, rounds = defaultRounds } = options
  for (const each of cases) await each.run()
  const samples = new Map<BenchCase, number[]>(cases.map((each) => [each, []]))
  for (let round = 0; round < rounds; round += 1) {
    for (const each of cases) {
      const before = process.cpuUsage()
      await each.run()
      const { user, system } = process.cpuUsage(before)
      samples.get(each)?.push((user + system) / operations)
    }
  }
  const rows = cases.map((each) => ({ name: each.name, cpuMicroseconds: spread(samples.get(each) ?? []) }))
  const ours = rows[0]?.cpuMicroseconds.median ?? Number.NaN
  return rows.map((row) => ({ ...row, ratio: ours / row.cpuMicroseconds.median }))
}

export function spread(values: readonly number[]): { readonly min: number; readonly median: number; readonly max: number } {
  const sorted = [...values].sort((a, b) => a - b)
  const at = (index: number): number => sorted[index] ?? Number.NaN
  return { min: at(0), median: at(Math.floor(sorted.length / 2)), max: at(sorted.length - 1) }
}

/** `share` 0.99: the value that 99 of 100 do not exceed. */
export function percentile(values: readonly number[], share: number): number {
  return [...values].sort((a, b) => a - b)[Math.min(values.length - 1, Math.floor(values.length * share))] ?? Number.NaN
}

/** A Markdown table, ready for a page. */
export function table(options: BenchOptions, rows: readonly BenchRow[]): string {
  const figure = (value: number): string => (value >= 100 ? value.toFixed(0) : value.toPrecision(3))
  const lines = rows.map(
    ({ name, cpuMicroseconds: cpu, ratio }) => `| ${name} | ${figure(cpu.median)} | ${figure(cpu.min)} to ${figure(cpu.max)} | ${ratio === 1 ? '' : figure(ratio)} |`,
  )
  return [`### ${options.title}`, '', `| case | µs of CPU a ${options.unit} | range | ours to it |`, '|---|---|---|---|', ...lines, ''].join('\n')
}

export async function report(options: BenchOptions): Promise<void> {
  process.stdout.write(`${table(options, await compare(options))}\n`)
}
