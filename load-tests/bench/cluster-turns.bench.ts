/**
 * Turns a second that one edge and one bridge sustain: replies of one token, each accepted, granted and finished by a
 * fenced commit. As soon as a turn has ended, another begins. CPU time tells what each process has to do with it, and what
 * two cores of their own would sustain.
 */
import { spread } from './measure.ts'
import { number } from './markdown.ts'
import { runBenchmark } from './program.ts'
import type { Findings } from './result.ts'
import { since, startCluster, total, type ClusterUnderTest } from './testing/cluster-under-test.ts'
import { connect, conversationsPerSocket, converse } from './testing/talkers.ts'

/** So that none gets a long history. */
const conversationsPerTurn = 8
const warmUpMs = 3_000

async function measure(cluster: ClusterUnderTest, underWay: number, seconds: number, rounds: number): Promise<Findings> {
  const count = underWay * conversationsPerTurn
  const talkers = await connect(cluster.port, Math.ceil(count / conversationsPerSocket))
  const free = await converse(talkers, count)
  let ended = 0
  let isOver = false
  const talking = Array.from({ length: underWay }, async () => {
    while (!isOver) {
      const conversation = free.shift()
      if (conversation === undefined) throw new Error('no conversation is free')
      await conversation.talker.talk(conversation.id, `question ${ended}`, 1)
      free.push(conversation)
      ended += 1
    }
  })
  const all = Promise.all(talking)
  all.catch(() => undefined)
  const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
  await pause(warmUpMs)
  const samples: { perSecond: number; cpu: ReadonlyMap<string, number> }[] = []
  for (let round = 0; round < rounds; round += 1) {
    const [before, endedBefore, began] = [cluster.cpu(), ended, performance.now()]
    await Promise.race([pause(seconds * 1000), all])
    const turns = ended - endedBefore
    const cpu = since(before, cluster.cpu())
    samples.push({ perSecond: (turns / (performance.now() - began)) * 1000, cpu: new Map([...cpu].map(([name, spent]) => [name, (spent / turns) * 1e6])) })
  }
  isOver = true
  await all
  for (const { socket } of talkers) socket.leave()

  const ofAll = samples.map(({ cpu }) => total(cpu))
  const perSecond = samples.map((each) => each.perSecond)
  return {
    tables: [
      {
        title: `Turns of one token, ${underWay} under way, one edge and one bridge`,
        contestants: [
          {
            name: 'ChatterBot',
            isOurs: true,
            figures: [
              { name: 'turns', unit: 'a second', samples: perSecond },
              ...[...(samples[0]?.cpu.keys() ?? [])].map((name) => ({ name: `CPU of ${name}, a turn`, unit: 'µs', samples: samples.map(({ cpu }) => cpu.get(name) ?? 0) })),
              { name: 'CPU of all, a turn', unit: 'µs', samples: ofAll },
              { name: 'turns that two cores have the CPU time for', unit: 'a second', samples: ofAll.map((each) => 2e6 / each) },
            ],
          },
        ],
      },
    ],
    headlines: [{ what: 'turns a second of one token each, every one accepted, granted and ended by a fenced commit', figure: `${number(Math.round(spread(perSecond).median))}, with one edge and one bridge`, beside: '' }],
  }
}

await runBenchmark({
  name: 'cluster-turns',
  title: 'Turns a second, everything stored',
  question: 'How many turns a second do one edge and one bridge sustain, and what does a turn cost each process?',
  options: {
    turns: { default: 256, help: 'under way' },
    seconds: { default: 5, quick: 3, help: 'of a round' },
    rounds: { default: 5, quick: 2, help: 'after a warm-up' },
    profiles: { default: '', help: 'folder for profiles of all processes; not made without' },
  },
  run: async ({ turns, seconds, rounds, profiles }) => {
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 1, profiles })
    try {
      return await measure(cluster, turns, seconds, rounds)
    } finally {
      await cluster.stop()
    }
  },
})
