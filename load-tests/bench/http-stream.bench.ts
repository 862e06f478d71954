/**
 * A reply streamed over the specification's endpoints (POST /stream-chat, then GET /stream/{correlation_id}), stored before
 * it is done: ChatterBot's cluster beside the specification's own design. CPU of the servers a thousand tokens, and what
 * is added to the time until the first text of the engine asked directly, both requests included.
 *
 *     npm run build && node dist/load-tests/bench/http-stream.bench.js [people, as 1,100,1000] [rounds] [folder for profiles]
 */
import { circumstances } from './testing/cluster-under-test.ts'
import { hold, tableOf } from './testing/http-contest.ts'

const levels = (process.argv[2] ?? '1,100,1000').split(',').map(Number)
const rounds = Number(process.argv[3] ?? 5)
const tokens = 100
const firstTokenMs = 50

for (const people of levels) {
  // Of the most, slower ones: starved processes look cheap.
  const tokensPerSecond = people <= 100 ? 50 : 10
  const questionsEach = people < 10 ? 5 : people <= 100 ? 3 : 1
  const withinMs = people < 10 ? 0 : (tokens / tokensPerSecond) * 1000
  const leftOut: string[] = []
  const results = await hold({ kind: 'stream', people, questionsEach, withinMs, tokens, tokensPerSecond, firstTokenMs, rounds, profiles: process.argv[4] }, (name, why) => leftOut.push(`Left out: ${name} (${why}).`))
  process.stdout.write(
    [
      `### Streams of ${tokens} tokens, ${tokensPerSecond} a second, for ${people} at once, ${rounds} rounds`,
      '',
      circumstances(),
      ...leftOut,
      '',
      ...tableOf(results, 'thousand tokens', tokens / 1000, 'first text'),
      '',
      '',
    ].join('\n'),
  )
}
