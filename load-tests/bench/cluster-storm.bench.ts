/**
 * Activation storm: conversations that are open at an edge which is killed, opened again at the other. Every client comes
 * back at once. Beside it the same conversations closed and opened again while their edge lives.
 *
 *     npm run build && node dist/load-tests/bench/cluster-storm.bench.js [conversations]
 */
import { circumstances, since, startCluster } from './testing/cluster-under-test.ts'
import { connect, conversationsPerSocket, converse, Talker } from './testing/talkers.ts'
import { LeanSocket } from './testing/lean-socket.ts'
import { percentile } from './measure.ts'

const count = Number(process.argv[2] ?? 10_000)

const cluster = await startCluster({ edges: 2, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 1, restartAfter: '600s' })
try {
  const talkers = await connect(cluster.port, Math.ceil(count / conversationsPerSocket), 'edge-1')
  const conversations = await converse(talkers, count)
  const bySocket = new Map(talkers.map((talker) => [talker, conversations.filter((each) => each.talker === talker)]))

  const beganAgain = performance.now()
  await Promise.all(
    [...bySocket].map(async ([talker, some]) => {
      for (const { id } of some) {
        await talker.close(id)
        await talker.open(id)
      }
    }),
  )
  const again = performance.now() - beganAgain

  const pid = cluster.report.processes.find(({ node }) => node === 'edge-1')?.pid
  if (typeof pid !== 'number') throw new Error('there is no edge-1')
  const times: number[] = []
  const before = cluster.cpu()
  const killedAt = performance.now()
  const returned = [...bySocket].map(async ([talker, some]) => {
    await new Promise<void>((resolve) => (talker.socket.onClosed = resolve))
    const socket = await reconnect(talker.socket.userId)
    const back = new Talker(socket)
    for (const { id } of some) {
      await openWhenOwned(back, id)
      times.push(performance.now() - killedAt)
    }
    socket.leave()
  })
  process.kill(pid, 'SIGKILL')
  await Promise.all(returned)
  const cpu = since(before, cluster.cpu())

  process.stdout.write(
    [
      `### ${count} open conversations, their edge killed`,
      '',
      circumstances(),
      '',
      '| figure | |',
      '|---|---|',
      `| closed and opened again at an edge that lives | ${(again / 1000).toFixed(1)} s |`,
      `| opened at the other edge, from the kill to the first | ${((times.toSorted((a, b) => a - b)[0] ?? Number.NaN) / 1000).toFixed(1)} s |`,
      `| to half of them | ${(percentile(times, 0.5) / 1000).toFixed(1)} s |`,
      `| to the last | ${(Math.max(...times) / 1000).toFixed(1)} s |`,
      // The backends of the edge that was killed have ended, and their time with them.
      ...[...cpu].filter(([name]) => name !== 'postgres').map(([name, seconds]) => `| CPU of ${name}, a conversation | ${((seconds / count) * 1e6).toFixed(0)} µs |`),
      '',
      '',
    ].join('\n'),
  )
} finally {
  await cluster.stop()
}

async function reconnect(userId: string): Promise<LeanSocket> {
  for (;;) {
    try {
      return await LeanSocket.open(cluster.port, userId)
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 50 + Math.random() * 100))
    }
  }
}

/** As the SDK does: what is refused for now is asked for again. */
async function openWhenOwned(talker: Talker, id: number): Promise<void> {
  for (;;) {
    try {
      return await talker.open(id)
    } catch (error) {
      if (!String(error).includes('moved') && !String(error).includes('unavailable')) throw error
    }
  }
}
