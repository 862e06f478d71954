/**
 * POST /chat, answered once its reply is stored: ChatterBot's cluster beside the specification's own design. CPU of the
 * servers a chat, and what is added to the time that the engine takes for the same reply when it is asked directly.
 */
import { numbersOf, runBenchmark } from './program.ts'
import { holdEach } from './testing/http-contest.ts'

await runBenchmark({
  name: 'http-chat',
  title: 'A chat by HTTP',
  question: 'What does POST /chat cost and add, when its answer waits for the reply and everything is stored?',
  options: {
    people: { default: '100', help: 'at once; several, as 1,100,1000, one after the other' },
    rounds: { default: 5, quick: 2, help: 'in which everybody asks each contestant' },
    warmup: { default: 32, quick: 4, help: 'questions that everybody asks each contestant before' },
    tokens: { default: 20, help: 'of a reply' },
    profiles: { default: '', help: "folder for profiles of the cluster's processes; not made without" },
  },
  run: ({ people, rounds, warmup, tokens, profiles }, say) =>
    holdEach(numbersOf(people), say, (count) => {
      // The engine takes the longer the more ask, so that everyone is asked some hundred times a second.
      const firstTokenMs = count < 10 ? 50 : count * 5
      return {
        contest: { kind: 'chat', people: count, questionsEach: count < 10 ? 40 : 4, withinMs: count < 10 ? 0 : firstTokenMs, tokens, tokensPerSecond: 100, firstTokenMs, rounds, warmUpEach: warmup, profiles },
        title: `Chats with replies of ${tokens} tokens, ${count} at once`,
        unit: 'chat',
        unitsEach: 1,
        heard: 'time',
        headline: count === 100 ? `CPU of \`POST /chat\`, ${tokens} tokens, stored, 100 people at once` : undefined,
      }
    }),
})
