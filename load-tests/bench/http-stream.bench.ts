/**
 * A reply streamed over the specification's endpoints (POST /stream-chat, then GET /stream/{correlation_id}), stored before
 * it is done: ChatterBot's cluster beside the specification's own design. CPU of the servers a thousand tokens, and what
 * is added to the time until the first text of the engine asked directly, both requests included.
 */
import { numbersOf, runBenchmark } from './program.ts'
import { holdEach } from './testing/http-contest.ts'

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
  run: ({ people, rounds, warmup, profiles }, say) =>
    holdEach(numbersOf(people), say, (count) => {
      // Of the most, slower ones: starved processes look cheap.
      const tokensPerSecond = count <= 100 ? 50 : 10
      const questionsEach = count < 10 ? 5 : count <= 100 ? 3 : 1
      const withinMs = count < 10 ? 0 : (tokens / tokensPerSecond) * 1000
      return {
        contest: { kind: 'stream', people: count, questionsEach, withinMs, tokens, tokensPerSecond, firstTokenMs, rounds, warmUpEach: warmup, profiles },
        title: `Streams of ${tokens} tokens, ${tokensPerSecond} a second, for ${count} at once`,
        unit: 'thousand tokens',
        unitsEach: tokens / 1000,
        heard: 'first text',
        headline: count === 100 ? 'CPU of a thousand tokens as Server-Sent Events, stored, 100 streams of 50 tokens a second' : undefined,
      }
    }),
})
