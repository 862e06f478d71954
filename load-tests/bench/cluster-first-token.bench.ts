/**
 * From a message sent to the first text at the client, through the whole cluster, beside the engine asked directly with the
 * same arrivals in the same run. Turns arrive as people do (Poisson), at the rate that keeps so many of them under way; or
 * all at one instant.
 */
import { percentile, spread } from './measure.ts'
import { number, withUnit } from './markdown.ts'
import { numbersOf, runBenchmark } from './program.ts'
import type { Aim, Table } from './result.ts'
import { atEach, burst, poisson } from './testing/arrivals.ts'
import { startCluster, type ClusterUnderTest } from './testing/cluster-under-test.ts'
import { askEngine, leaveEngine } from './testing/engine-directly.ts'
import { connect, conversationsPerSocket, converse, type Conversation } from './testing/talkers.ts'
import { warmUp } from './testing/turns-in-a-row.ts'

const tokens = 50
const tokensPerSecond = 10
const firstTokenMs = 50
const turnSeconds = firstTokenMs / 1000 + tokens / tokensPerSecond

interface Heard {
  /** Milliseconds from the message to its first text, and to the word that it is stored. */
  readonly firstMs: number
  readonly acceptedMs: number
}

interface Times {
  readonly p50: readonly number[]
  readonly p99: readonly number[]
}

async function measure(cluster: ClusterUnderTest, concurrent: number, seconds: number, rounds: number, arrivals: string): Promise<{ readonly floor: Times; readonly added: Times; readonly accepted: Times }> {
  const times = (): number[] => (arrivals === 'burst' ? burst(concurrent) : poisson(concurrent / turnSeconds, seconds * 1000))
  const mostAtOnce = Math.ceil(concurrent + 6 * Math.sqrt(concurrent))
  const talkers = await connect(cluster.port, Math.ceil(mostAtOnce / conversationsPerSocket))
  const free: Conversation[] = await converse(talkers, mostAtOnce)

  const throughCluster = (when: readonly number[]): Promise<Heard[]> =>
    atEach(when, async (index, due) => {
      const conversation = free.shift()
      if (conversation === undefined) throw new Error('more turns are under way than conversations were made for')
      let acceptedMs = Number.NaN
      const firstMs = await conversation.talker.talk(conversation.id, `question ${index} of ${due}`, tokens, due, (ms) => (acceptedMs = ms))
      free.push(conversation)
      return { firstMs, acceptedMs }
    })
  const directly = (when: readonly number[]): Promise<number[]> => atEach(when, (index, due) => askEngine(cluster.engineUrl, `question ${index}`, due))

  await warmUp(cluster.port)
  await throughCluster(times())
  const samples: { floor: readonly number[]; ours: readonly number[]; accepted: readonly number[] }[] = []
  for (let round = 0; round < rounds; round += 1) {
    const when = times()
    const floor = await directly(when)
    const heard = await throughCluster(when)
    samples.push({ floor, ours: heard.map(({ firstMs }) => firstMs), accepted: heard.map(({ acceptedMs }) => acceptedMs) })
  }
  for (const { socket } of talkers) socket.leave()
  const added = (share: number): number[] => samples.map(({ floor, ours }) => percentile(ours, share) - percentile(floor, share))
  const floor = (share: number): number[] => samples.map((each) => percentile(each.floor, share))
  const accepted = (share: number): number[] => samples.map((each) => percentile(each.accepted, share))
  return { floor: { p50: floor(0.5), p99: floor(0.99) }, accepted: { p50: accepted(0.5), p99: accepted(0.99) }, added: { p50: added(0.5), p99: added(0.99) } }
}

function waiting(accepted: readonly number[]): string {
  return `${withUnit(spread(accepted).median, 'ms')} pass until the message is stored and said to be; its job goes to the bridge, which waits for the grant, before the engine is asked`
}

await runBenchmark({
  name: 'cluster-first-token',
  title: 'First token through the cluster',
  question: 'How much later than from the engine itself does the first text of a reply come to its client?',
  options: {
    concurrent: { default: '200', help: 'turns under way; several, as 1,200,1000, one after the other' },
    seconds: { default: 8, quick: 4, help: 'that turns arrive in a round' },
    rounds: { default: 5, quick: 2, help: 'each asks the engine, then the cluster' },
    arrivals: { default: 'poisson', help: 'poisson, or burst: all at one instant' },
    profiles: { default: '', help: 'folder for profiles of all processes; not made without' },
  },
  run: async ({ concurrent, seconds, rounds, arrivals, profiles }, say) => {
    const tables: Table[] = []
    const aims: Aim[] = []
    const headlines = []
    for (const count of numbersOf(concurrent)) {
      say(`${count} turns under way`)
      const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond, firstTokenMs, replyTokens: tokens, profiles })
      try {
        // Of one turn at a time, few arrive in a round.
        const { floor, added, accepted } = await measure(cluster, count, count < 10 ? seconds * 3 : seconds, rounds, arrivals)
        const title = arrivals === 'burst' ? `${count} turns begun at one instant` : `${count} turns under way, ${number(Math.round(count / turnSeconds * 10) / 10)} begun a second`
        tables.push({
          title,
          contestants: [
            { name: 'engine asked directly', figures: [{ name: 'first token p50', unit: 'ms', samples: floor.p50 }, { name: 'first token p99', unit: 'ms', samples: floor.p99 }] },
            { name: 'ChatterBot', isOurs: true, figures: [{ name: 'added p50', unit: 'ms', samples: added.p50 }, { name: 'added p99', unit: 'ms', samples: added.p99 }, { name: 'until the message is stored, p50', unit: 'ms', samples: accepted.p50 }, { name: 'until the message is stored, p99', unit: 'ms', samples: accepted.p99 }] },
          ],
        })
        if (count !== 200 || arrivals !== 'poisson') continue
        const [p50, p99] = [spread(added.p50).median, spread(added.p99).median]
        aims.push(
          { what: 'First token added over the engine, 200 turns under way, p50', is: 'at most', bound: 5, unit: 'ms', measured: p50, reason: waiting(accepted.p50) },
          { what: 'First token added over the engine, 200 turns under way, p99', is: 'at most', bound: 20, unit: 'ms', measured: p99, reason: waiting(accepted.p99) },
        )
        headlines.push({ what: 'first token added over the engine asked directly, 200 turns under way', figure: `${withUnit(p50, 'ms')}, p99 ${withUnit(p99, 'ms')}`, beside: '' })
      } finally {
        await cluster.stop()
      }
    }
    await leaveEngine()
    return { tables, aims, headlines }
  },
})
