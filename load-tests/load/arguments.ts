/** The command line of `npm run load`. */
import { parseArgs } from 'node:util'
import { readTime, readWhole } from '../quantities.ts'

export const scenarios = ['smoke', 'average', 'stress', 'spike', 'soak', 'breakpoint', 'storm', 'requests'] as const
export type Scenario = (typeof scenarios)[number]

export interface Arguments {
  readonly url: string
  readonly scenario: Scenario
  readonly people: number
  readonly chatsEach: number
  readonly rate: number
  readonly holdS: number
  readonly thinkS: number
  readonly turns: number
  readonly tokens: number
  readonly verifies: boolean
  readonly model: string | null
  readonly report: string
}

export const usage = `npm run load -- [options]

  --url URL         a running ChatterBot (http://127.0.0.1:8001)
  --scenario NAME   ${scenarios.join(', ')} (smoke)
  --people N        at the same time, at the height (smoke 10, others 200)
  --chats-each N    conversations that a virtual user holds at a time: 1 is nearer to people, 20 lets this machine hold
                    10,000 of them (1)
  --rate N          requests a second, of the scenario requests (100); --people wait at a time at most
  --hold TIME       how long the height lasts: 30s, 10m, 2h (smoke 10s, soak 1h, others 60s)
  --think S         seconds from a reply to the next message, on average (5; requests 0)
  --turns N         messages of a conversation (4)
  --tokens N        of each reply, where the engine is the simulated one (60)
  --verify          the engine is the simulated one: every reply is verified, to the last character
  --model NAME      that OpenAI clients ask for (simulated)
  --report FOLDER   where report.html and summary.json go (load-report)

A key for a server that wants one is read from the environment, CHATTERBOT_API_KEY: a command line is for all to see.
Programs are limited as they are for everybody: give the plan of the key, or the server's options, room for the load.`

const usualHoldS: Partial<Record<Scenario, number>> = { smoke: 10, soak: 3_600 }

/** Throws RangeError and TypeError that say what is wrong. */
export function readArguments(args: readonly string[]): Arguments | 'help' {
  const text = { type: 'string' } as const
  const { values } = parseArgs({
    args: [...args],
    options: { url: text, scenario: text, people: text, 'chats-each': text, rate: text, hold: text, think: text, turns: text, tokens: text, model: text, report: text, verify: { type: 'boolean', default: false }, help: { type: 'boolean', default: false } },
  })
  if (values.help) return 'help'
  const scenario = scenarios.find((name) => name === (values.scenario ?? 'smoke'))
  if (scenario === undefined) throw new RangeError(`--scenario: ${JSON.stringify(values.scenario)} is none of ${scenarios.join(', ')}.`)
  return {
    url: readUrl(values.url ?? 'http://127.0.0.1:8001'),
    scenario,
    people: readWhole('people', values.people ?? (scenario === 'smoke' ? '10' : '200'), 1, 1_000_000),
    // A user may have 20 connections.
    chatsEach: readWhole('chats-each', values['chats-each'] ?? '1', 1, 20),
    rate: readWhole('rate', values.rate ?? '100', 1, 1_000_000),
    holdS: values.hold === undefined ? (usualHoldS[scenario] ?? 60) : readTime('hold', values.hold),
    thinkS: readWhole('think', values.think ?? (scenario === 'requests' ? '0' : '5'), 0, 3_600),
    turns: readWhole('turns', values.turns ?? '4', 1, 10_000),
    tokens: readWhole('tokens', values.tokens ?? '60', 1, 9_000),
    verifies: values.verify,
    model: values.model ?? null,
    report: values.report ?? 'load-report',
  }
}

function readUrl(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : null
  if (url === null || (url.protocol !== 'http:' && url.protocol !== 'https:')) throw new RangeError('--url: not a URL that begins with http:// or https://.')
  if (url.username !== '' || url.password !== '') throw new RangeError('--url: credentials do not belong into it; see --help.')
  return url.origin
}
