/**
 * POST /chat, answered once its reply is stored: ChatterBot's cluster beside the specification's own design. CPU of the
 * servers a chat, and what is added to the time that the engine takes for the same reply when it is asked directly.
 *
 *     npm run build && node dist/load-tests/bench/http-chat.bench.js [people, as 1,100,1000] [rounds] [tokens a reply] [folder for profiles]
 */
import { circumstances } from './testing/cluster-under-test.ts'
import { hold, tableOf } from './testing/http-contest.ts'

const levels = (process.argv[2] ?? '1,100,1000').split(',').map(Number)
const rounds = Number(process.argv[3] ?? 5)
const tokens = Number(process.argv[4] ?? 20)

for (const people of levels) {
  // The engine takes the longer the more ask, so that everyone is asked some hundred times a second.
  const firstTokenMs = people < 10 ? 50 : people * 5
  const tokensPerSecond = 100
  const questionsEach = people < 10 ? 40 : 4
  const leftOut: string[] = []
  const results = await hold({ kind: 'chat', people, questionsEach, withinMs: people < 10 ? 0 : firstTokenMs, tokens, tokensPerSecond, firstTokenMs, rounds, profiles: process.argv[5] }, (name, why) => leftOut.push(`Left out: ${name} (${why}).`))
  process.stdout.write(
    [
      `### Chats with replies of ${tokens} tokens, ${people} at once, ${rounds} rounds`,
      '',
      circumstances(),
      ...leftOut,
      '',
      ...tableOf(results, 'chat', 1, 'time'),
      '',
      '',
    ].join('\n'),
  )
}
