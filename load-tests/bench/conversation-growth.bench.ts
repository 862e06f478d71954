/**
 * What it costs to open a conversation, to read a page of it and to take a turn in it, as it grows to 10,000 messages: through
 * the whole cluster, the messages spread over the partitions of two years. One size after the other, round after round.
 */
import { startPostgres } from '../../tests/harness/postgres.ts'
import { number } from './markdown.ts'
import { numbersOf, runBenchmark } from './program.ts'
import { startCluster } from './testing/cluster-under-test.ts'
import { flatness, watch } from './testing/flatness.ts'
import { fillDatabase, postgresSettings } from './testing/stored-history.ts'
import { warmUp } from './testing/turns-in-a-row.ts'
import { visit, visitsOf, type Deed, type Done } from './testing/visits.ts'

const months = 24
const replyTokens = 1
/** From this size on, a page and a prompt are as full as they get. */
const fullPage = 1_000

interface Size {
  readonly name: string
  readonly messages: number
  readonly userId: string
  readonly samples: ReadonlyMap<Deed, Done>[]
}

await runBenchmark({
  name: 'conversation-growth',
  title: 'A conversation grows to 10,000 messages',
  question: 'Does it cost the same to open a conversation, to read a page of it and to take a turn in it, however long it is?',
  options: {
    sizes: { default: '10,100,1000,10000', quick: '100,1000,10000', help: 'messages of a conversation' },
    conversations: { default: 16, quick: 8, help: 'of each size, visited in a round; 32 at most' },
    rounds: { default: 5, quick: 2, help: 'after one that warms up' },
    profiles: { default: '', help: 'folder for profiles of all processes; not made without' },
  },
  run: async ({ sizes: list, conversations: each, rounds, profiles }, say) => {
    const sizes: Size[] = numbersOf(list).map((messages) => ({ name: `${number(messages)} messages`, messages, userId: `user-${messages}`, samples: [] }))
    const postgres = await startPostgres(undefined, postgresSettings)
    const watching = await watch(postgres)
    try {
      const url = await postgres.createDatabase('chat')
      const stored = await fillDatabase(url, months, sizes.map(({ messages, userId }) => ({ userIds: [userId], conversationsEach: each * (rounds + 1), messagesEach: messages })), say)
      const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens, databaseUrls: [url], profiles })
      try {
        await warmUp(cluster.port)
        for (let round = 0; round <= rounds; round += 1) {
          for (const { userId, samples } of round % 2 === 0 ? sizes : sizes.toReversed()) {
            const done = await visit(cluster.port, visitsOf(stored, [userId], each, round), replyTokens, () => watching.worked(cluster))
            if (round > 0) samples.push(done)
          }
          say(`round ${round} of ${rounds}`)
        }
      } finally {
        await cluster.stop()
      }
    } finally {
      await watching.end()
      await postgres.stop()
    }
    const baseline = sizes.find(({ messages }) => messages >= fullPage) ?? sizes[0]
    if (baseline === undefined) throw new RangeError('--sizes: names none.')
    const found = flatness(sizes, baseline)
    return {
      ...found,
      remarks: [...found.remarks, 'Opening tells the newest 200 messages, and a prompt holds what the window of 4,096 tokens does: of a shorter conversation there is less to tell, and that is why it costs less.'],
    }
  },
})
