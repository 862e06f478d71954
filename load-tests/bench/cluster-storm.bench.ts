/**
 * Activation storm: conversations that are open at an edge which is killed, opened again at the other. Every client comes
 * back at once. Beside it the same conversations closed and opened again while their edge lives. The edge that was killed
 * is started again, and the other is killed next.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { percentile, spread } from './measure.ts'
import { withUnit } from './markdown.ts'
import { runBenchmark } from './program.ts'
import type { Findings } from './result.ts'
import { since, startCluster, type ClusterUnderTest, type CpuTimes } from './testing/cluster-under-test.ts'
import { LeanSocket } from './testing/lean-socket.ts'
import { connect, conversationsPerSocket, converse, Talker } from './testing/talkers.ts'

/** After clients are back, so that its start weighs on nobody. */
const restartAfterS = 10

interface Round {
  /** Seconds. */
  readonly again: number
  readonly first: number
  readonly half: number
  readonly last: number
  readonly cpu: CpuTimes
}

async function measure(cluster: ClusterUnderTest, count: number, rounds: number, say: (progress: string) => void): Promise<Findings> {
  const talkers = await connect(cluster.port, Math.ceil(count / conversationsPerSocket), 'edge-1')
  let open = new Map<Talker, readonly number[]>()
  for (const { talker, id } of await converse(talkers, count)) open.set(talker, [...(open.get(talker) ?? []), id])

  const samples: Round[] = []
  for (let round = 0; round < rounds; round += 1) {
    const node = round % 2 === 0 ? 'edge-1' : 'edge-2'
    say(`${node} is killed`)
    const beganAgain = performance.now()
    await Promise.all(
      [...open].map(async ([talker, ids]) => {
        for (const id of ids) {
          await talker.close(id)
          await talker.open(id)
        }
      }),
    )
    const again = (performance.now() - beganAgain) / 1000

    const pid = cluster.pidOf(node)
    if (pid === undefined) throw new Error(`there is no ${node}`)
    const times: number[] = []
    const before = cluster.cpu()
    const killedAt = performance.now()
    const returned = [...open].map(async ([talker, ids]) => {
      await new Promise<void>((resolve) => (talker.socket.onClosed = resolve))
      const back = new Talker(await reconnect(cluster.port, talker.socket.userId))
      for (const id of ids) {
        await openWhenOwned(back, id)
        times.push((performance.now() - killedAt) / 1000)
      }
      return [back, ids] as const
    })
    process.kill(pid, 'SIGKILL')
    open = new Map(await Promise.all(returned))
    // The backends of the edge that was killed have ended, and their time with them.
    const cpu = new Map([...since(before, cluster.cpu())].filter(([name]) => name !== 'postgres' && name !== node))
    samples.push({ again, first: Math.min(...times), half: percentile(times, 0.5), last: Math.max(...times), cpu: new Map([...cpu].map(([name, seconds]) => [name.startsWith('edge') ? 'the other edge' : name, seconds])) })
    while (cluster.pidOf(node) === pid) await delay(100)
    // Until it has joined the others.
    await delay(2_000)
  }
  for (const { socket } of open.keys()) socket.leave()

  const figure = (name: string, of: (round: Round) => number) => ({ name, unit: 's', samples: samples.map(of) })
  const median = (of: (round: Round) => number): string => withUnit(spread(samples.map(of)).median, 's')
  return {
    tables: [
      {
        title: `${count.toLocaleString('en')} open conversations, their edge killed`,
        contestants: [
          {
            name: 'ChatterBot',
            isOurs: true,
            figures: [
              figure('closed and opened again at an edge that lives', ({ again }) => again),
              figure('opened at the other edge, from the kill to the first', ({ first }) => first),
              figure('to half of them', ({ half }) => half),
              figure('to the last', ({ last }) => last),
              ...[...(samples[0]?.cpu.keys() ?? [])].map((name) => ({ name: `CPU of ${name}, a conversation`, unit: 'µs', samples: samples.map(({ cpu }) => ((cpu.get(name) ?? 0) / count) * 1e6) })),
            ],
          },
        ],
      },
    ],
    headlines: [
      {
        what: `${count.toLocaleString('en')} open conversations whose edge is killed, open again at the other`,
        figure: `${median(({ last }) => last)}, ${median(({ first }) => first)} of them until it counts as gone`,
        beside: `${median(({ again }) => again)}, closed and opened at an edge that lives`,
      },
    ],
  }
}

async function reconnect(port: number, userId: string): Promise<LeanSocket> {
  for (;;) {
    try {
      return await LeanSocket.open(port, userId)
    } catch {
      await delay(50 + Math.random() * 100)
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

await runBenchmark({
  name: 'cluster-storm',
  title: 'An edge is killed',
  question: 'How long until all conversations of an edge that is killed are open again at another?',
  options: {
    conversations: { default: 10_000, quick: 2_000, help: 'open at the edge' },
    rounds: { default: 5, quick: 2, help: 'in each of which an edge is killed' },
  },
  run: async ({ conversations, rounds }, say) => {
    const cluster = await startCluster({ edges: 2, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 1, restartAfter: `${restartAfterS}s` })
    try {
      return await measure(cluster, conversations, rounds, say)
    } finally {
      await cluster.stop()
    }
  },
})
