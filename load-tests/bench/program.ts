/**
 * A benchmark is a program of its own: it prints its tables, or hands them over as JSON to who runs many.
 *
 *     npm run build && node dist/load-tests/bench/<name>.bench.js [options] [--quick] [--json file] [--help]
 */
import { writeFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { circumstances } from './circumstances.ts'
import { resultLines } from './markdown.ts'
import type { Figure, Findings, Result } from './result.ts'

export interface Option {
  /** As it is measured for the record. */
  readonly default: number | string
  /** For a look that takes a fraction of the time. */
  readonly quick?: number | string
  readonly help: string
}

export type Options = Readonly<Record<string, Option>>
export type Values<O extends Options> = { readonly [Name in keyof O]: O[Name]['default'] extends number ? number : string }

export interface Benchmark<O extends Options> {
  /** As in `<name>.bench.ts`. */
  readonly name: string
  readonly title: string
  /** What it answers, in a sentence. */
  readonly question: string
  readonly options: O
  /** `say` tells who waits how far it is. */
  run(options: Values<O>, say: (progress: string) => void): Promise<Findings>
}

const usageFault = 64
const graceMs = 10_000

/** To be awaited as the last statement of a benchmark's file. Sets the exit code. */
export async function runBenchmark<const O extends Options>(benchmark: Benchmark<O>): Promise<void> {
  const { name, title, question } = benchmark
  try {
    const asked = readArguments(benchmark.options, process.argv.slice(2))
    if (asked === 'help') {
      process.stdout.write(usage(benchmark))
      return
    }
    const ended = await circumstances()
    const findings = await benchmark.run(asked.values, (progress) => process.stderr.write(`${progress}\n`))
    const result: Result = { name, title, question, options: asked.values, ...measured(findings), circumstances: ended() }
    if (asked.json === undefined) process.stdout.write(`${resultLines(result, '##').join('\n')}\n${JSON.stringify(result.circumstances)}\n`)
    else writeFileSync(asked.json, JSON.stringify(result))
  } catch (error) {
    const isUsage = error instanceof RangeError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))
    process.stderr.write(isUsage ? `${error.message}\n\n${usage(benchmark)}` : `${error instanceof Error ? error.stack : String(error)}\n`)
    process.exitCode = isUsage ? usageFault : 1
  }
  // Nobody waits for what was left open.
  setTimeout(() => process.exit(), graceMs).unref()
}

/** Without what could not be had, such as the first text of nobody's reply. */
function measured(findings: Findings): Findings {
  const figures = (all: readonly Figure[]): Figure[] => all.map((figure) => ({ ...figure, samples: figure.samples.filter(Number.isFinite) })).filter(({ samples }) => samples.length > 0)
  return {
    ...findings,
    tables: findings.tables.map((table) => ({ ...table, contestants: table.contestants.map((contestant) => ({ ...contestant, figures: figures(contestant.figures) })) })),
    aims: (findings.aims ?? []).map((aim) => ({ ...aim, measured: Number.isFinite(aim.measured) ? aim.measured : null })),
  }
}

/** The numbers of `1,100,1000`. Throws RangeError. */
export function numbersOf(list: string): number[] {
  return list.split(',').map((each) => readNumber('a list', each))
}

function readArguments<O extends Options>(options: O, args: readonly string[]): { readonly values: Values<O>; readonly json: string | undefined } | 'help' {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    // Who runs many says how many rounds; of what is measured once there is one.
    options: { rounds: text, ...Object.fromEntries(Object.keys(options).map((name) => [name, text])), json: text, quick: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  const given = values as Readonly<Record<string, string | boolean | undefined>>
  if (given['help'] === true) return 'help'
  const read = Object.entries(options).map(([name, option]) => {
    const value = given[name]
    const usual = given['quick'] === true ? (option.quick ?? option.default) : option.default
    return [name, typeof value !== 'string' ? usual : typeof option.default === 'number' ? readNumber(`--${name}`, value) : value]
  })
  return { values: Object.fromEntries(read) as Values<O>, json: given['json'] as string | undefined }
}

function readNumber(name: string, text: string): number {
  if (!/^\d+$/.test(text)) throw new RangeError(`${name}: ${JSON.stringify(text)} is not a whole number.`)
  return Number(text)
}

function usage<O extends Options>({ name, question, options }: Benchmark<O>): string {
  const lines = Object.entries(options).map(([option, { default: usual, help }]) => `  --${option.padEnd(12)} ${help}${usual === '' ? '' : ` (${usual})`}`)
  return [`${name}.bench: ${question}`, '', ...lines, `  --${'quick'.padEnd(12)} less of everything, for a look`, `  --${'json'.padEnd(12)} file that the result is written to, instead of being printed`, ''].join('\n')
}
