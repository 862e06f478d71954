/**
 * How evenly text comes: the time between two texts of a reply through the cluster, beside the engine asked directly by the
 * same client. One after the other, round after round.
 */
import { loopback } from '../stream-client/wire.ts'
import { openSessions } from '../stream-client/open-sessions.ts'
import type { Heard } from '../stream-client/talk.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Figure, Table } from './result.ts'
import { startCluster } from './testing/cluster-under-test.ts'
import { gapMs, steadyStreams } from './testing/steady-streams.ts'

const tokensPerSecond = 50
const firstTokenMs = 50
const tokens = 60
const replyMs = (tokens / tokensPerSecond) * 1000
/** One stream alone has few gaps: it goes on for longer. */
const turnsOfFew = 2
const few = 10

await runBenchmark({
  name: 'jitter',
  title: 'How evenly text comes',
  question: 'How much longer than from the engine itself are the pauses within a reply?',
  options: {
    streams: { default: '1,200,500,1000', quick: '1,200', help: 'at once; several, one after the other' },
    rounds: { default: 5, quick: 2, help: 'each asks the engine, then the cluster' },
    profiles: { default: '', help: 'folder for profiles of all processes; not made without' },
  },
  run: async ({ streams, rounds, profiles }, say) => {
    const tables: Table[] = []
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond, firstTokenMs, replyTokens: tokens, profiles })
    try {
      for (const count of numbersOf(streams)) {
        say(`${count} streams`)
        const directly = await openSessions(loopback(cluster.enginePort), 'openai', count)
        const through = await openSessions(loopback(cluster.port), 'chatterbot', count)
        const round = (sessions: typeof through): Promise<Heard> => steadyStreams(sessions, tokens, count <= few ? 0 : replyMs, count <= few ? turnsOfFew : 1)
        await round(through)
        const samples: { readonly floor: Heard; readonly ours: Heard }[] = []
        for (let n = 0; n < rounds; n += 1) samples.push({ floor: await round(directly), ours: await round(through) })
        for (const session of [...directly, ...through]) session.leave()
        const figures = (of: (sample: (typeof samples)[number], percent: number) => number): Figure[] =>
          [50, 99].map((percent) => ({ name: `p${percent}`, unit: 'ms', samples: samples.map((sample) => of(sample, percent)) }))
        tables.push({
          title: `Between two texts of a reply, ${count} ${count === 1 ? 'stream' : 'streams'} of ${tokensPerSecond} tokens a second`,
          contestants: [
            { name: 'engine asked directly', figures: figures(({ floor }, percent) => gapMs(floor, percent)) },
            { name: 'ChatterBot', isOurs: true, figures: figures(({ ours }, percent) => gapMs(ours, percent)) },
            { name: 'added', figures: figures(({ floor, ours }, percent) => gapMs(ours, percent) - gapMs(floor, percent)) },
          ],
        })
      }
    } finally {
      await cluster.stop()
    }
    return { tables, remarks: ['Text of one flush comes at once: of tokens that the engine sends 20 ms apart, one in a while waits for the next.'] }
  },
})
