/** The command line of `npm run chaos`. */
import { parseArgs } from 'node:util'
import { readTime, readWhole } from '../../load-tests/quantities.ts'

export interface Arguments {
  readonly durationMs: number
  readonly seed: number
  /** Empty: all. */
  readonly faults: readonly string[]
  readonly conversations: number
}

export const usage = `npm run chaos -- [options]

  --duration TIME     how long faults are inflicted: 90s, 10m, 2h (10m)
  --seed N            of what is drawn: to repeat a run (a random one)
  --faults A,B        only these (all; --help lists them)
  --conversations N   that talk at a time (12)`

/** Throws RangeError that says what is wrong. `names`: the faults that there are. */
export function readArguments(args: readonly string[], names: readonly string[], randomSeed: number): Arguments | 'help' {
  const { values } = parseArgs({
    args: [...args],
    options: { duration: { type: 'string', default: '10m' }, seed: { type: 'string', default: String(randomSeed) }, faults: { type: 'string', default: '' }, conversations: { type: 'string', default: '12' }, help: { type: 'boolean', default: false } },
  })
  if (values.help) return 'help'
  const faults = values.faults.split(',').map((name) => name.trim()).filter((name) => name !== '')
  const unknown = faults.filter((name) => !names.includes(name))
  if (unknown.length > 0) throw new RangeError(`There is no fault ${unknown.join(', ')}. There are ${names.join(', ')}.`)
  return { durationMs: readTime('duration', values.duration) * 1_000, seed: readWhole('seed', values.seed, 0, 2 ** 32 - 1), faults, conversations: readWhole('conversations', values.conversations, 1, 200) }
}
