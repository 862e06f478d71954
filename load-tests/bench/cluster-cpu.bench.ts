/**
 * CPU seconds of each process for a million tokens delivered, at streams of 50 tokens a second; with `forwarded`, every
 * client is at an edge that does not own its conversation.
 *
 *     npm run build && node dist/load-tests/bench/cluster-cpu.bench.js [streams] [rounds] [owned | forwarded] [folder for profiles]
 */
import { spread } from './measure.ts'
import { circumstances, since, startCluster } from './testing/cluster-under-test.ts'
import { connect, conversationsPerSocket, converse } from './testing/talkers.ts'

const streams = Number(process.argv[2] ?? 100)
const rounds = Number(process.argv[3] ?? 3)
const isForwarded = process.argv[4] === 'forwarded'
const tokens = 300

const cluster = await startCluster({ edges: 2, bridges: 1, tokensPerSecond: 50, firstTokenMs: 50, replyTokens: tokens, profiles: process.argv[5] })
try {
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
  process.stdout.write(
    [
      `### CPU for a million tokens, ${streams} streams of 50 tokens a second, ${isForwarded ? 'every client at another edge than the owner' : 'clients at the owners'}, ${rounds} rounds`,
      '',
      circumstances(),
      '',
      '| process | median | range |',
      '|---|---|---|',
      ...[...(samples[0]?.keys() ?? [])].map((name) => {
        const { median, min, max } = spread(samples.map((each) => each.get(name) ?? Number.NaN))
        return `| ${name} | ${median.toFixed(1)} s | ${min.toFixed(1)} to ${max.toFixed(1)} |`
      }),
      '',
      '',
    ].join('\n'),
  )
  for (const { socket } of [...owners, ...others]) socket.leave()
} finally {
  await cluster.stop()
}
