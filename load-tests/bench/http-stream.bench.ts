/**
 * A reply streamed over the specification's endpoints (POST /stream-chat, then GET /stream/{correlation_id}), stored before
 * it is done: ChatterBot's cluster beside the specification's own design. CPU of the servers a thousand tokens, and what
 * is added to the time until the first text of the engine asked directly, both requests included.
 */
import { headline } from './headlines.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Headline, Table } from './result.ts'
import { failuresOf, hold, tablesOf } from './testing/http-contest.ts'

const tokens = 100
const firstTokenMs = 50

await runBenchmark({
  name: 'http-stream',
  title: 'A reply as Server-Sent Events',
  question: 'What does a reply cost and when does its text begin, streamed over the endpoints of the specification?',
  options: {
    people: { default: '100', help: 'at once; several, as 1,100,1000, one after the other' },
    rounds: { default: 5, quick: 2, help: 'in which everybody asks each contestant' },
    warmup: { default: 6, quick: 3, help: 'questions that everybody asks each contestant before' },
    profiles: { default: '', help: "folder for profiles of the cluster's processes; not made without" },
  },
  run: async ({ people, rounds, warmup, profiles }, say) => {
    const tables: Table[] = []
    const headlines: Headline[] = []
    const remarks: string[] = []
    const leftOut = new Map<string, string>()
    for (const count of numbersOf(people)) {
      say(`${count} people`)
      // Of the most, slower ones: starved processes look cheap.
      const tokensPerSecond = count <= 100 ? 50 : 10
      const questionsEach = count < 10 ? 5 : count <= 100 ? 3 : 1
      const withinMs = count < 10 ? 0 : (tokens / tokensPerSecond) * 1000
      const results = await hold({ kind: 'stream', people: count, questionsEach, withinMs, tokens, tokensPerSecond, firstTokenMs, rounds, warmUpEach: warmup, profiles }, (name, why) => leftOut.set(name, why))
      const [table, parts] = tablesOf(`Streams of ${tokens} tokens, ${tokensPerSecond} a second, for ${count} at once`, results, 'thousand tokens', tokens / 1000, 'first text')
      tables.push(...[table, parts].filter((each) => each !== undefined))
      remarks.push(...failuresOf(results))
      if (count === 100 && table !== undefined) headlines.push(headline('CPU of a thousand tokens as Server-Sent Events, stored, 100 streams of 50 tokens a second', table, 'FastAPI + httpx', 'FastAPI + aiohttp'))
    }
    return { tables, headlines, remarks, leftOut: [...leftOut].map(([name, why]) => ({ name, why })) }
  },
})
