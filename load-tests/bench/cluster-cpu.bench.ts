/**
 * CPU seconds of each process for a million tokens delivered, at streams of 50 tokens a second; and the same while every
 * client is at an edge that does not own its conversation.
 */
import { numbersOf, runBenchmark } from './program.ts'
import type { Table } from './result.ts'
import { since, startCluster, type ClusterUnderTest } from './testing/cluster-under-test.ts'
import { connect, conversationsPerSocket, converse } from './testing/talkers.ts'

const tokens = 300

async function measure(cluster: ClusterUnderTest, streams: number, isForwarded: boolean, rounds: number): Promise<Table> {
  const sockets = Math.ceil(streams / conversationsPerSocket)
  const owners = await connect(cluster.port, sockets, 'edge-1')
  const made = await converse(owners, streams)
  const others = isForwarded ? await connect(cluster.port, sockets, 'edge-2') : owners
  // The same users, each with the same conversations.
  const conversations = await Promise.all(
    made.map(async ({ talker, id }) => {
      const other = others[owners.indexOf(talker)] ?? talker
      if (isForwarded) await other.open(id)
      return { talker: other, id }
    }),
  )
  if (isForwarded) await Promise.all(made.map(({ talker, id }) => talker.close(id)))

  const round = async (): Promise<void> => {
    await Promise.all(conversations.map(({ talker, id }, n) => talker.talk(id, `question ${n} of ${performance.now()}`, tokens)))
  }
  await round()
  const samples: ReadonlyMap<string, number>[] = []
  for (let n = 0; n < rounds; n += 1) {
    const before = cluster.cpu()
    await round()
    samples.push(new Map([...since(before, cluster.cpu())].map(([name, seconds]) => [name, (seconds / (streams * tokens)) * 1e6])))
  }
  for (const { socket } of new Set([...owners, ...others])) socket.leave()
  return {
    title: `${streams} streams of 50 tokens a second, ${isForwarded ? 'every client at another edge than the owner' : 'clients at the owners'}`,
    contestants: [{ name: 'ChatterBot', isOurs: true, figures: [...(samples[0]?.keys() ?? [])].map((name) => ({ name, unit: 's', samples: samples.map((each) => each.get(name) ?? Number.NaN) })) }],
  }
}

await runBenchmark({
  name: 'cluster-cpu',
  title: 'CPU of a token, by process',
  question: 'How many CPU seconds do a million tokens cost each process of the cluster?',
  options: {
    streams: { default: '100', help: 'at once; several, as 100,1000, one after the other' },
    rounds: { default: 5, quick: 2, help: 'of a reply of every stream' },
    clients: { default: 'owned,forwarded', quick: 'owned', help: 'at the edge that owns the conversation, or at another' },
    profiles: { default: '', help: 'folder for profiles of all processes; not made without' },
  },
  run: async ({ streams, rounds, clients, profiles }, say) => {
    const tables: Table[] = []
    for (const count of numbersOf(streams)) {
      for (const at of clients.split(',')) {
        say(`${count} streams, ${at}`)
        const cluster = await startCluster({ edges: 2, bridges: 1, tokensPerSecond: 50, firstTokenMs: 50, replyTokens: tokens, profiles })
        try {
          tables.push(await measure(cluster, count, at === 'forwarded', rounds))
        } finally {
          await cluster.stop()
        }
      }
    }
    return { tables }
  },
})
