/** The command line of `npm run bench`. */
import { parseArgs } from 'node:util'
import { readWhole } from '../../quantities.ts'
import { benchmarks, usual } from './benchmarks.ts'

export interface Arguments {
  readonly names: readonly string[]
  /** Null: as many as each takes for the record. */
  readonly rounds: number | null
  readonly quick: boolean
  /** Goes on where other work is under way. */
  readonly anyway: boolean
}

/** Fewer than these say little of how far figures spread. */
const leastForTheRecord = 5

export const usage = `npm run bench -- [options]

Runs the project and its peers side by side on the same work, and writes docs/benchmarks.md. Linux only.

  --only NAMES   of ${usual.join(', ')},
                 or what is not run unasked: ${benchmarks.filter((name) => !usual.some((each) => each === name)).join(', ')}
  --all          what is not run unasked, too
  --rounds N     of each (5 or 7); fewer than ${leastForTheRecord} are printed, not written
  --quick        less of everything, for a look of a few minutes: printed, not written
  --anyway       although the machine is at other work`

export function isForTheRecord({ quick, rounds }: Arguments): boolean {
  return !quick && (rounds === null || rounds >= leastForTheRecord)
}

/** Throws RangeError and TypeError that say what is wrong. */
export function readArguments(args: readonly string[]): Arguments | 'help' {
  const text = { type: 'string' } as const
  const flag = { type: 'boolean', default: false } as const
  const { values } = parseArgs({ args: [...args], options: { only: text, all: flag, rounds: text, quick: flag, anyway: flag, help: flag } })
  if (values.help) return 'help'
  return {
    names: values.only !== undefined ? readNames(values.only) : values.all ? benchmarks : usual,
    rounds: values.rounds === undefined ? null : readWhole('rounds', values.rounds, 1, 1_000),
    quick: values.quick,
    anyway: values.anyway,
  }
}

function readNames(list: string): string[] {
  const names = list.split(',')
  const unknown = names.find((name) => !benchmarks.some((each) => each === name))
  if (unknown !== undefined) throw new RangeError(`--only: ${JSON.stringify(unknown)} is none of ${benchmarks.join(', ')}.`)
  return names
}
