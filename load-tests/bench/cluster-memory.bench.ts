/**
 * Resident memory of an edge for each connection: one that has said hello, one with a conversation open, one whose
 * conversation has had a turn, and one whose reply is being written. Each step adds as many as it names; the first ones,
 * during which the process grows into its work, don't count. Garbage is collected before each reading, as otherwise what one
 * step leaves is what the next one fills; of the whole, what it is without that is told, too.
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
/** Replies take a second each. */
const turnsAtATime = 500
const tokensPerSecond = 20
const tokens = 20
/** What was freed is given back within. */
const settleMs = 4_000

async function measure(cluster: ClusterUnderTest, count: number, streaming: number, say: (progress: string) => void): Promise<Findings> {
  const pid = cluster.report.processes.find(({ role }) => role === 'edge')?.pid
  if (typeof pid !== 'number') throw new Error('there is no edge')
  const resident = async (step: string): Promise<number> => {
    say(step)
    process.kill(pid, 'SIGUSR2')
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
  const turn = (talker: Talker, length: number): Promise<unknown> => talker.talk(conversations.get(talker) as number, `How are you? [[tokens=${length}]]`, length)
  const talk = (some: readonly Talker[]): Promise<unknown> => inTurns(some, (talker) => turn(talker, tokens), turnsAtATime)

  const warm = await connect(Math.ceil(count / 4))
  await open(warm)
  await talk(warm)
  const asIs = async (): Promise<number> => {
    await delay(settleMs)
    return memoryMiB(pid)
  }
  const asIsBefore = await asIs()
  const before = await resident('warm')
  const talkers = await connect(count)
  const connected = await resident('connected')
  await open(talkers)
  const opened = await resident('open')
  await talk(talkers)
  const asIsTalked = await asIs()
  const talked = await resident('after a turn')
  // They are looked at when half of it is written.
  const streams = Promise.all(talkers.slice(0, streaming).map((talker) => turn(talker, (2 * tokensPerSecond * settleMs) / 1000)))
  const streamed = await Promise.race([resident('while replies are written'), streams.then(() => Promise.reject(new Error('the replies were too short')))])
  await streams
  for (const talker of [...warm, ...talkers]) talker.socket.leave()

  const figure = (name: string, from: number, to: number, of = count) => ({ name, unit: 'KiB', samples: [((to - from) * 1024) / of] })
  const all = [figure('all of it', before, talked), figure('all of it, with garbage', asIsBefore, asIsTalked)]
  const kib = Math.max(...all.flatMap(({ samples }) => samples))
  return {
    tables: [
      {
        title: `${count} connections with a conversation each`,
        contestants: [{ name: 'ChatterBot', isOurs: true, figures: [figure('a connection that has said hello', before, connected), figure('its conversation, open', connected, opened), figure('the same after a turn, more', opened, talked), ...all, figure(`of ${streaming} while its reply is written, more`, talked, streamed, streaming)] }],
      },
    ],
    aims: [{ what: 'Memory of the edge for an idle open conversation that has had a turn, actor and connection included', is: 'at most', bound: 12, unit: 'KiB', measured: kib, reason: `${withUnit(all[0]?.samples[0] ?? Number.NaN, 'KiB')} of it are in use, the rest is garbage` }],
    headlines: [{ what: 'memory of the edge for an open conversation that has had a turn, with its connection', figure: withUnit(kib, 'KiB'), beside: '' }],
  }
}

async function inTurns<T, R>(items: readonly T[], work: (item: T) => Promise<R>, most = atATime): Promise<R[]> {
  const done: R[] = []
  for (let at = 0; at < items.length; at += most) done.push(...(await Promise.all(items.slice(at, at + most).map(work))))
  return done
}

await runBenchmark({
  name: 'cluster-memory',
  title: 'Memory of the edge',
  question: 'What does a person who is connected cost an edge, in memory?',
  options: {
    connections: { default: 10_000, quick: 4_000, help: 'with a conversation each' },
    streaming: { default: 1_000, quick: 500, help: 'of them whose reply is written in the last step' },
  },
  run: async ({ connections, streaming }, say) => {
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond, firstTokenMs: 0, replyTokens: tokens, collectsOnSignal: true })
    try {
      return await measure(cluster, connections, streaming, say)
    } finally {
      await cluster.stop()
    }
  },
})
