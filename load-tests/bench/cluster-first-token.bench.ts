/**
 * From a message sent to the first text at the client, through the whole cluster, beside the engine asked directly with the
 * same arrivals in the same run. Turns arrive as people do (Poisson), at the rate that keeps so many of them under way; or,
 * with `burst`, all at one instant.
 *
 *     npm run build && node dist/load-tests/bench/cluster-first-token.bench.js [concurrent] [seconds] [rounds] [poisson | burst] [folder for profiles]
 */
import { percentile, spread } from './measure.ts'
import { atEach, burst, poisson } from './testing/arrivals.ts'
import { circumstances, startCluster } from './testing/cluster-under-test.ts'
import { askEngine, leaveEngine } from './testing/engine-directly.ts'
import { connect, conversationsPerSocket, converse, type Conversation } from './testing/talkers.ts'

const concurrent = Number(process.argv[2] ?? 200)
const seconds = Number(process.argv[3] ?? 15)
const rounds = Number(process.argv[4] ?? 3)
const arrivals = process.argv[5] ?? 'poisson'
const tokens = 50
const tokensPerSecond = 10
const firstTokenMs = 50
const turnSeconds = firstTokenMs / 1000 + tokens / tokensPerSecond
const perSecond = concurrent / turnSeconds

const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond, firstTokenMs, replyTokens: tokens, profiles: process.argv[6] })
try {
  const times = (): number[] => (arrivals === 'burst' ? burst(concurrent) : poisson(perSecond, seconds * 1000))
  const mostAtOnce = Math.ceil(concurrent + 6 * Math.sqrt(concurrent))
  const talkers = await connect(cluster.port, Math.ceil(mostAtOnce / conversationsPerSocket))
  const free: Conversation[] = await converse(talkers, mostAtOnce)

  const throughCluster = (when: readonly number[]): Promise<number[]> =>
    atEach(when, async (index, due) => {
      const conversation = free.shift()
      if (conversation === undefined) throw new Error('more turns are under way than conversations were made for')
      const firstMs = await conversation.talker.talk(conversation.id, `question ${index} of ${due}`, tokens, due)
      free.push(conversation)
      return firstMs
    })
  const directly = (when: readonly number[]): Promise<number[]> => atEach(when, (index, due) => askEngine(cluster.engineUrl, `question ${index}`, due))

  await throughCluster(times())
  const added: { p50: number; p99: number }[] = []
  const floors: { p50: number; p99: number }[] = []
  for (let round = 0; round < rounds; round += 1) {
    const when = times()
    const [floor, ours] = [await directly(when), await throughCluster(when)]
    floors.push({ p50: percentile(floor, 0.5), p99: percentile(floor, 0.99) })
    added.push({ p50: percentile(ours, 0.5) - percentile(floor, 0.5), p99: percentile(ours, 0.99) - percentile(floor, 0.99) })
  }
  const row = (name: string, values: readonly number[]): string => {
    const { median, min, max } = spread(values)
    return `| ${name} | ${median.toFixed(1)} ms | ${min.toFixed(1)} to ${max.toFixed(1)} |`
  }
  process.stdout.write(
    [
      `### First token through the cluster, ${arrivals === 'burst' ? `${concurrent} turns begun at one instant` : `${concurrent} turns under way (${perSecond.toFixed(0)} a second)`}, ${rounds} rounds`,
      '',
      circumstances(),
      '',
      '| figure | median | range |',
      '|---|---|---|',
      row('engine asked directly, p50', floors.map(({ p50 }) => p50)),
      row('the same, p99', floors.map(({ p99 }) => p99)),
      row('added by the cluster, p50', added.map(({ p50 }) => p50)),
      row('the same, p99', added.map(({ p99 }) => p99)),
      '',
      '',
    ].join('\n'),
  )
  for (const { socket } of talkers) socket.leave()
} finally {
  await leaveEngine()
  await cluster.stop()
}
