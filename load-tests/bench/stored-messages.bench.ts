/**
 * What it costs to open a conversation, to read a page of it and to take a turn in it, as the database grows: a cluster of its
 * own at each of several databases of one Postgres, which hold more and more messages in conversations of 20 (and a turn for
 * every two), spread over the partitions of two years. One after the other, round after round.
 */
import { statfsSync } from 'node:fs'
import os from 'node:os'
import { startPostgres } from '../../tests/harness/postgres.ts'
import { number } from './markdown.ts'
import { numbersOf, runBenchmark } from './program.ts'
import { startCluster, type ClusterUnderTest } from './testing/cluster-under-test.ts'
import { flatness, watch } from './testing/flatness.ts'
import { fillDatabase, postgresSettings, type ConversationsOf } from './testing/stored-history.ts'
import { warmUp } from './testing/turns-in-a-row.ts'
import { visit, visitsOf, type Deed, type Done } from './testing/visits.ts'

const months = 24
const messagesEach = 20
const conversationsEach = 50
/** Whose conversations are visited: they lie anywhere in the tables. */
const visitors = 20
const visitedEach = 5
const replyTokens = 1
/** With its part of a turn and of the indexes. */
const bytesAMessage = 800
/** `max_wal_size`, and as much again while a checkpoint is under way. */
const bytesOfLog = 8 * 2 ** 30

interface Size {
  readonly name: string
  readonly visitorIds: readonly string[]
  readonly stored: ConversationsOf
  readonly cluster: ClusterUnderTest
  readonly samples: ReadonlyMap<Deed, Done>[]
}

await runBenchmark({
  name: 'stored-messages',
  title: 'The database grows to millions of messages',
  question: 'Does it cost the same to open a conversation, to read a page of it and to take a turn in it, however many messages are stored?',
  options: {
    messages: { default: '100000,10000000', quick: '20000,100000', help: 'stored in each database' },
    rounds: { default: 5, quick: 2, help: 'after one that warms up; 9 at most' },
  },
  run: async ({ messages, rounds }, say) => {
    const counts = numbersOf(messages)
    requireDisk(counts.reduce((sum, count) => sum + count, 0))
    const postgres = await startPostgres(undefined, postgresSettings)
    const sizes: Size[] = []
    const watching = await watch(postgres)
    try {
      for (const count of counts) {
        const url = await postgres.createDatabase(`messages_${count}`)
        const userIds = Array.from({ length: Math.max(visitors, count / messagesEach / conversationsEach) }, (_, n) => `user-${n}`)
        const stored = await fillDatabase(url, months, [{ userIds, conversationsEach, messagesEach }], (progress) => say(`${number(count)} messages: ${progress}`))
        const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens, databaseUrls: [url] })
        sizes.push({
          name: `${number(count)} messages`,
          visitorIds: Array.from({ length: visitors }, (_, n) => userIds[Math.floor((n * userIds.length) / visitors)] as string),
          stored,
          cluster,
          samples: [],
        })
      }
      for (const { cluster } of sizes) await warmUp(cluster.port)
      for (let round = 0; round <= rounds; round += 1) {
        // Whoever comes second finds the machine as the first has left it.
        for (const { visitorIds, stored, cluster, samples } of round % 2 === 0 ? sizes : sizes.toReversed()) {
          const done = await visit(cluster.port, visitsOf(stored, visitorIds, visitedEach, round), replyTokens, () => watching.worked(cluster))
          if (round > 0) samples.push(done)
        }
        say(`round ${round} of ${rounds}`)
      }
    } finally {
      for (const { cluster } of sizes) await cluster.stop()
      await watching.end()
      await postgres.stop()
    }
    const [smallest] = sizes
    if (smallest === undefined) throw new RangeError('--messages: names none.')
    const found = flatness(sizes, smallest)
    return {
      ...found,
      remarks: [...found.remarks, 'The first change of a block after a checkpoint is logged with all of the block (full_page_writes): of a larger database more blocks are changed for the first time.'],
    }
  },
})

/** Rather than fail minutes later. */
function requireDisk(messages: number): void {
  const { bavail, bsize } = statfsSync(os.tmpdir())
  const [free, wanted] = [bavail * bsize, messages * bytesAMessage + bytesOfLog].map((bytes) => bytes / 2 ** 30) as [number, number]
  if (free < wanted) throw new Error(`${number(messages)} messages take ${Math.ceil(wanted)} GiB below ${os.tmpdir()}, which has ${Math.floor(free)}: name fewer by --messages`)
}
