/** The command line of `npm run capacity`. */
import { parseArgs } from 'node:util'
import type { Prices } from './plan.ts'
import type { Aim } from './queue-model.ts'
import type { Gpu, Workload } from './workload.ts'

export interface Arguments {
  readonly workload: Workload
  readonly gpu: Gpu
  readonly aim: Aim
  readonly prices: Prices
  readonly simulates: boolean
  readonly json: boolean
}

interface Quantity {
  readonly default: number
  readonly least: number
  readonly most: number
  readonly help: string
}

/** What is not said is Llama-2-7B, AWQ, on a GPU with 24 GB, by figures that others published for GPUs of that kind: measure your own. */
const quantities = {
  users: { default: 10_000, least: 1, most: 10_000_000, help: 'people in a conversation at the same time' },
  think: { default: 60, least: 0.1, most: 86_400, help: 'seconds from a reply to the next message' },
  'prompt-tokens': { default: 600, least: 1, most: 1_000_000, help: 'tokens of the context of a turn' },
  'reply-tokens': { default: 200, least: 1, most: 1_000_000, help: 'tokens of a reply' },
  wait: { default: 0.2, least: 0, most: 3_600, help: 'seconds that 95 of 100 turns wait for a GPU at most' },
  utilization: { default: 0.8, least: 0.01, most: 1, help: 'share of the GPUs\' slots in use at most, on average' },
  'gpu-tokens': { default: 900, least: 1, most: 1_000_000, help: 'tokens a second of a full GPU, all streams together' },
  'gpu-stream-tokens': { default: 60, least: 1, most: 10_000, help: 'tokens a second of a stream that is alone' },
  'gpu-streams': { default: 64, least: 1, most: 100_000, help: 'replies that a GPU writes at a time (--max-num-seqs)' },
  'gpu-kv-tokens': { default: 33_000, least: 1, most: 1e9, help: 'tokens that its KV cache holds' },
  'gpu-prefill': { default: 0.15, least: 0, most: 600, help: 'seconds it reads a context' },
  'gpu-price': { default: 0.8, least: 0, most: 1_000, help: 'dollars an hour' },
  'vcpu-price': { default: 0.04, least: 0, most: 100, help: 'dollars an hour of a core for all else' },
} as const satisfies Readonly<Record<string, Quantity>>

type Name = keyof typeof quantities

export const usage = ['npm run capacity -- [options]', '', ...(Object.entries(quantities) as [Name, Quantity][]).map(([name, { help, default: usual }]) => `  --${`${name} N`.padEnd(22)} ${help} (${usual})`), `  --${'simulate'.padEnd(22)} play the queue through, turn by turn, beside the model`, `  --${'json'.padEnd(22)} for programs`].join('\n')

/** Throws RangeError and TypeError that say what is wrong. */
export function readArguments(args: readonly string[]): Arguments | 'help' {
  const names = Object.keys(quantities) as Name[]
  const { values } = parseArgs({
    args: [...args],
    options: { ...(Object.fromEntries(names.map((name) => [name, { type: 'string' }])) as Record<Name, { type: 'string' }>), simulate: { type: 'boolean', default: false }, json: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help) return 'help'
  const read = (name: Name): number => {
    const { default: usual, least, most } = quantities[name]
    const text = values[name]
    if (text === undefined) return usual
    const value = Number(text)
    if (!/^\d+(\.\d+)?$/.test(text) || value < least || value > most) throw new RangeError(`--${name}: ${JSON.stringify(text)} is not a number from ${least} to ${most}.`)
    return value
  }
  const users = read('users')
  if (!Number.isInteger(users)) throw new RangeError('--users: a whole number of people.')
  return {
    workload: { users, thinkS: read('think'), promptTokens: read('prompt-tokens'), replyTokens: read('reply-tokens') },
    gpu: { tokensPerS: read('gpu-tokens'), streamTokensPerS: read('gpu-stream-tokens'), streams: Math.floor(read('gpu-streams')), kvTokens: read('gpu-kv-tokens'), prefillS: read('gpu-prefill'), dollarsPerHour: read('gpu-price') },
    aim: { waitS: read('wait'), utilization: read('utilization') },
    prices: { vcpuDollarsPerHour: read('vcpu-price') },
    simulates: values.simulate,
    json: values.json,
  }
}
