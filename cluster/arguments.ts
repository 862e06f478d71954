/** The command line of the cluster. */
import { parseArgs } from 'node:util'
import { exitCodes, StartupFault } from '../platform/lifecycle/startup-fault.ts'
import type { EngineChoice } from './engine.ts'

export interface Arguments {
  readonly edges: number
  readonly bridges: number
  /** Null: what the environment says. */
  readonly port: number | null
  /** Null: what the environment says. */
  readonly engine: EngineChoice | null
  readonly restartAfterMs: number
  readonly dataFolder: string | null
  readonly json: boolean
  readonly help: boolean
}

const mostProcesses = 64
const longestRestartMs = 3_600_000

export const usage = `npm run cluster -- [options]

  --edges N             edges, which clients connect to (2)
  --bridges N           inference bridges, which engines are asked by (2)
  --port N              the edges' port (PORT, or 8001); 0: any free one
  --engine URL          a vLLM, or another engine with OpenAI's API; may be repeated
  --engine simulated    an engine without a model, which replies with numbered words
  --engine local        a small model on this machine (the default)
  --restart-after TIME  until a process that died is started again: 500ms, 2s (the default is 2s)
  --data-dir FOLDER     where services keep their data, and logs are
  --json                one line of JSON once ready, and one for each process that ends or starts
  --help

NATS_URL, REDIS_URL and DATABASE_URL name services that run already; the others are started here.
All other settings are environment variables, too: docs/configuration.md.`

/** Throws one StartupFault that lists every fault, with exit code 64. */
export function readArguments(args: readonly string[]): Arguments {
  const faults: string[] = []
  const { tokens } = parseArgs({ args: [...args], strict: false, tokens: true, allowPositionals: true, options: { edges: text, bridges: text, port: text, engine: text, 'restart-after': text, 'data-dir': text, json: flag, help: flag } })
  const given = new Map<string, string[]>()
  for (const token of tokens) {
    if (token.kind === 'positional') faults.push(`${token.value}: it is not known what is meant by that.`)
    if (token.kind !== 'option') continue
    if (!names.includes(token.name)) faults.push(`${token.rawName}: there is no such option.`)
    else if (flags.includes(token.name)) given.set(token.name, token.value === undefined ? [''] : (faults.push(`--${token.name}: it takes no value.`), []))
    else if (token.value === undefined || token.value === '') faults.push(`--${token.name}: its value is missing.`)
    else given.set(token.name, [...(given.get(token.name) ?? []), token.value])
  }
  const single = (name: string): string | undefined => {
    const values = given.get(name) ?? []
    if (values.length > 1) faults.push(`--${name}: it is given ${values.length} times.`)
    return values[0]
  }
  const whole = <T>(name: string, least: number, most: number, otherwise: T): number | T => {
    const value = single(name)
    if (value === undefined) return otherwise
    if (/^\d{1,9}$/.test(value) && Number(value) >= least && Number(value) <= most) return Number(value)
    faults.push(`--${name}: ${JSON.stringify(value)} is not a whole number from ${least} to ${most}.`)
    return otherwise
  }
  const found: Arguments = {
    edges: whole('edges', 1, mostProcesses, 2),
    bridges: whole('bridges', 1, mostProcesses, 2),
    port: whole('port', 0, 65_535, null),
    engine: engineOf(given.get('engine') ?? [], faults),
    restartAfterMs: durationOf(single('restart-after') ?? '2s', faults),
    dataFolder: single('data-dir') ?? null,
    json: given.has('json'),
    help: given.has('help'),
  }
  if (faults.length > 0 && !found.help) {
    throw new StartupFault(`The command line has ${faults.length === 1 ? 'a fault' : `${faults.length} faults`}:\n${faults.map((fault) => `  - ${fault}`).join('\n')}`, '`npm run cluster -- --help` lists the options.', { exitCode: exitCodes.usage })
  }
  return found
}

const text = { type: 'string' } as const
const flag = { type: 'boolean' } as const
const flags = ['json', 'help']
const names = ['edges', 'bridges', 'port', 'engine', 'restart-after', 'data-dir', ...flags]

function engineOf(values: readonly string[], faults: string[]): EngineChoice | null {
  if (values.length === 0) return null
  const [only] = values
  if (values.length === 1 && (only === 'simulated' || only === 'local')) return { kind: only }
  for (const value of values) {
    if (value === 'simulated' || value === 'local') faults.push(`--engine: ${value} cannot be one of several.`)
    else if (!URL.canParse(value) || !/^https?:$/.test(new URL(value).protocol) || value.includes(',')) faults.push(`--engine: ${JSON.stringify(value)} is neither simulated, local nor a URL that begins with http:// or https://.`)
  }
  return { kind: 'named', urls: values }
}

/** Milliseconds. */
function durationOf(value: string, faults: string[]): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(value) ?? []
  const ms = Math.round(Number(number) * (unit === 'ms' ? 1 : 1000))
  if (number !== undefined && ms <= longestRestartMs) return ms
  faults.push(`--restart-after: ${JSON.stringify(value)} is not a time up to an hour, such as 500ms or 2s.`)
  return 0
}
