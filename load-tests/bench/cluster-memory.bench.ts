/**
 * Resident memory of an edge for each connection: one that has said hello, one with a conversation open, and one whose
 * conversation has had a turn. Each step adds as many as it names; the first ones, during which the process grows into its
 * work, don't count.
 *
 *     npm run build && node dist/load-tests/bench/cluster-memory.bench.js [connections]
 */
import { setTimeout as delay } from 'node:timers/promises'
import { memoryMiB } from './cpu-time.ts'
import { circumstances, startCluster } from './testing/cluster-under-test.ts'
import { LeanSocket } from './testing/lean-socket.ts'
import { Talker } from './testing/talkers.ts'

const count = Number(process.argv[2] ?? 10_000)
const first = Math.ceil(count / 4)
const atATime = 50
/** The collector of garbage runs when it likes: what it left a few seconds later is taken. */
const settleMs = 8_000

const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 20 })
try {
  const pid = cluster.report.processes.find(({ role }) => role === 'edge')?.pid
  if (typeof pid !== 'number') throw new Error('there is no edge')
  const resident = async (): Promise<number> => {
    await delay(settleMs)
    return memoryMiB(pid)
  }

  const conversations = new Map<Talker, number>()
  const connect = (some: number): Promise<Talker[]> => inTurns(Array.from({ length: some }, (_, n) => n), async () => new Talker(await LeanSocket.open(cluster.port, `user-${Math.random()}`)))
  const open = (some: readonly Talker[]): Promise<unknown> =>
    inTurns(some, async (talker) => {
      const id = await talker.create()
      await talker.open(id)
      conversations.set(talker, id)
    })
  const talk = (some: readonly Talker[]): Promise<unknown> => inTurns(some, (talker) => talker.talk(conversations.get(talker) as number, 'How are you?', 20))

  const warm = await connect(first)
  await open(warm)
  await talk(warm)
  const before = await resident()
  const talkers = await connect(count)
  const connected = await resident()
  await open(talkers)
  const opened = await resident()
  await talk(talkers)
  const talked = await resident()

  const each = (from: number, to: number): string => `${(((to - from) * 1024) / count).toFixed(1)} KiB`
  process.stdout.write(
    [
      `### Memory of the edge, ${count} connections with a conversation each`,
      '',
      circumstances(),
      '',
      '| figure | |',
      '|---|---|',
      `| a connection that has said hello | ${each(before, connected)} |`,
      `| its conversation, open | ${each(connected, opened)} |`,
      `| the same after a turn | ${each(opened, talked)} more |`,
      `| all of it | ${each(before, talked)} |`,
      '',
      '',
    ].join('\n'),
  )
  for (const talker of [...warm, ...talkers]) talker.socket.leave()
} finally {
  await cluster.stop()
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = []
  for (let at = 0; at < items.length; at += atATime) done.push(...(await Promise.all(items.slice(at, at + atATime).map(work))))
  return done
}
