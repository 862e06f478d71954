/**
 * Resident memory of an edge for each connection: one that has said hello, one with a conversation open, and one whose
 * conversation has had a turn. Each step adds as many as it names; the first ones, during which the process grows into its
 * work, don't count.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { memoryMiB } from './cpu-time.ts'
import { withUnit } from './markdown.ts'
import { runBenchmark } from './program.ts'
import type { Findings } from './result.ts'
import { startCluster, type ClusterUnderTest } from './testing/cluster-under-test.ts'
import { LeanSocket } from './testing/lean-socket.ts'
import { Talker } from './testing/talkers.ts'

const atATime = 50
/** The collector of garbage runs when it likes: what it left a few seconds later is taken. */
const settleMs = 8_000

async function measure(cluster: ClusterUnderTest, count: number, say: (progress: string) => void): Promise<Findings> {
  const pid = cluster.report.processes.find(({ role }) => role === 'edge')?.pid
  if (typeof pid !== 'number') throw new Error('there is no edge')
  const resident = async (step: string): Promise<number> => {
    say(step)
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

  const warm = await connect(Math.ceil(count / 4))
  await open(warm)
  await talk(warm)
  const before = await resident('warm')
  const talkers = await connect(count)
  const connected = await resident('connected')
  await open(talkers)
  const opened = await resident('open')
  await talk(talkers)
  const talked = await resident('after a turn')
  for (const talker of [...warm, ...talkers]) talker.socket.leave()

  const figure = (name: string, from: number, to: number) => ({ name, unit: 'KiB', samples: [((to - from) * 1024) / count] })
  const all = figure('all of it', before, talked)
  const [kib = Number.NaN] = all.samples
  return {
    tables: [
      {
        title: `${count} connections with a conversation each`,
        contestants: [{ name: 'ChatterBot', isOurs: true, figures: [figure('a connection that has said hello', before, connected), figure('its conversation, open', connected, opened), figure('the same after a turn, more', opened, talked), all] }],
      },
    ],
    aims: [{ what: 'Memory of the edge for an idle open conversation that has had a turn, actor and connection included', is: 'at most', bound: 12, unit: 'KiB', measured: kib, reason: 'of it, what V8 keeps free between collections counts too.' }],
    headlines: [{ what: 'memory of the edge for an open conversation that has had a turn, with its connection', figure: withUnit(kib, 'KiB'), beside: '' }],
  }
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>): Promise<R[]> {
  const done: R[] = []
  for (let at = 0; at < items.length; at += atATime) done.push(...(await Promise.all(items.slice(at, at + atATime).map(work))))
  return done
}

await runBenchmark({
  name: 'cluster-memory',
  title: 'Memory of the edge',
  question: 'What does a person who is connected cost an edge, in memory?',
  options: { connections: { default: 10_000, quick: 4_000, help: 'with a conversation each' } },
  run: async ({ connections }, say) => {
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 20 })
    try {
      return await measure(cluster, connections, say)
    } finally {
      await cluster.stop()
    }
  },
})
