/**
 * Turns a second that one edge and one bridge sustain: replies of one token, each accepted, granted and finished by a
 * fenced commit. As soon as a turn has ended, another begins. CPU time tells what each process has to do with it, and what
 * two cores of their own would sustain.
 *
 *     npm run build && node dist/load-tests/bench/cluster-turns.bench.js [turns under way] [seconds] [rounds] [folder for profiles]
 */
import { spread } from './measure.ts'
import { circumstances, since, startCluster } from './testing/cluster-under-test.ts'
import { connect, conversationsPerSocket, converse } from './testing/talkers.ts'

const underWay = Number(process.argv[2] ?? 256)
const seconds = Number(process.argv[3] ?? 10)
const rounds = Number(process.argv[4] ?? 3)
/** So that none gets a long history. */
const conversationsPerTurn = 8

const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: 0, firstTokenMs: 0, replyTokens: 1, profiles: process.argv[5] })
try {
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
  await pause(3_000)
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
  const names = [...(samples[0]?.cpu.keys() ?? [])]
  const row = (name: string, values: readonly number[], unit: string): string => {
    const { median, min, max } = spread(values)
    return `| ${name} | ${median.toFixed(0)} ${unit} | ${min.toFixed(0)} to ${max.toFixed(0)} |`
  }
  const total = samples.map(({ cpu }) => [...cpu.values()].reduce((sum, each) => sum + each, 0))
  process.stdout.write(
    [
      `### Turns of one token, ${underWay} under way, one edge and one bridge, ${rounds} rounds of ${seconds} s`,
      '',
      circumstances(),
      '',
      '| figure | median | range |',
      '|---|---|---|',
      row('turns a second', samples.map(({ perSecond }) => perSecond), ''),
      ...names.map((name) => row(`CPU of ${name}, a turn`, samples.map(({ cpu }) => cpu.get(name) ?? 0), 'µs')),
      row('CPU of all, a turn', total, 'µs'),
      row('turns a second that two cores have the CPU time for', total.map((each) => 2e6 / each), ''),
      '',
      '',
    ].join('\n'),
  )
  for (const { socket } of talkers) socket.leave()
} finally {
  await cluster.stop()
}
