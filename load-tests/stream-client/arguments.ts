/** The command line of `npm run streams`. */
import { parseArgs } from 'node:util'
import { dialects } from './dialects.ts'
import type { Dialect } from './dialect.ts'
import { readTime, readWhole } from '../quantities.ts'

export interface Arguments {
  readonly host: string
  readonly port: number
  readonly isSecure: boolean
  readonly dialect: Dialect
  readonly sockets: number
  readonly streams: number
  readonly turns: number
  readonly withinS: number
  readonly tokens: number
  readonly verifies: boolean
  /** Of the engine; null: not known. */
  readonly tokensPerSecond: number | null
  readonly pids: ReadonlyMap<string, number>
}

const names = Object.keys(dialects) as Dialect[]

export const usage = `npm run streams -- [options]

  --url URL                a running server (http://127.0.0.1:8001)
  --dialect NAME           what it speaks: ${names.join(', ')} (chatterbot)
  --sockets N              connections to open (100)
  --streams N              of them, those that ask, one question at a time (all)
  --turns N                questions of each, one after the other (1)
  --within TIME            they begin at random within so long: 10s, 1m (1s)
  --tokens N               of each reply, where the engine is the simulated one (100)
  --verify                 the engine is the simulated one: every reply is verified, to the last character
  --tokens-per-second N    of each stream as the engine has them: gaps are told beyond that, too
  --pid NAME=N             a process of the server on this machine (Linux): its CPU time and memory; as often as there are

The report is JSON, on standard output. A key for a server that wants one is read from the environment,
CHATTERBOT_API_KEY: a command line is for all to see. 10,000 connections need so many files: ulimit -n.`

/** Throws RangeError and TypeError that say what is wrong. */
export function readArguments(args: readonly string[]): Arguments | 'help' {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: {
      url: text, dialect: text, sockets: text, streams: text, turns: text, within: text, tokens: text, 'tokens-per-second': text,
      pid: { type: 'string', multiple: true }, verify: { type: 'boolean', default: false }, help: { type: 'boolean', default: false },
    },
  })
  if (values.help) return 'help'
  const dialect = names.find((name) => name === (values.dialect ?? 'chatterbot'))
  if (dialect === undefined) throw new RangeError(`--dialect: ${JSON.stringify(values.dialect)} is none of ${names.join(', ')}.`)
  const sockets = readWhole('sockets', values.sockets ?? '100', 1, 1_000_000)
  return {
    ...readUrl(values.url ?? 'http://127.0.0.1:8001'),
    dialect,
    sockets,
    streams: readWhole('streams', values.streams ?? String(sockets), 1, sockets),
    turns: readWhole('turns', values.turns ?? '1', 1, 1_000_000),
    withinS: readTime('within', values.within ?? '1s'),
    tokens: readWhole('tokens', values.tokens ?? '100', 1, 9_000),
    verifies: values.verify,
    tokensPerSecond: values['tokens-per-second'] === undefined ? null : readWhole('tokens-per-second', values['tokens-per-second'], 1, 1_000_000),
    pids: new Map((values.pid ?? []).map(readPid)),
  }
}

function readUrl(text: string): Pick<Arguments, 'host' | 'port' | 'isSecure'> {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new RangeError('--url: not a URL that begins with http:// or https://.')
  if (url.username !== '' || url.password !== '') throw new RangeError('--url: credentials do not belong into it; see --help.')
  const isSecure = url.protocol === 'https:'
  return { host: url.hostname.replace(/^\[|\]$/g, ''), port: url.port === '' ? (isSecure ? 443 : 80) : Number(url.port), isSecure }
}

function readPid(text: string): [string, number] {
  const [, name, pid] = /^([^=]+)=(\d+)$/.exec(text) ?? []
  if (name === undefined) throw new RangeError(`--pid: ${JSON.stringify(text)} is no name and process id such as edge=1234.`)
  return [name, Number(pid)]
}
