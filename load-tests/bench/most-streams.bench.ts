/**
 * The most streams of 20 tokens a second at which 99 of 100 pauses within replies last 100 ms at most and no text is lost, all
 * of it on the same cores: load, engine and server. ChatterBot's cluster, everything stored, beside servers that store nothing.
 */
import { smallestPipeline } from '../floors/smallest-pipeline.ts'
import { fastapiAiohttp } from '../peers/fastapi.ts'
import { ws } from '../peers/node-peers.ts'
import type { Dialect } from '../stream-client/dialect.ts'
import { openSessions } from '../stream-client/open-sessions.ts'
import type { Session } from '../stream-client/session.ts'
import type { Heard } from '../stream-client/talk.ts'
import { loopback } from '../stream-client/wire.ts'
import { number } from './markdown.ts'
import { runBenchmark } from './program.ts'
import type { Contestant } from './result.ts'
import { startCluster } from './testing/cluster-under-test.ts'
import { largestThatFits } from './testing/largest-that-fits.ts'
import { gapMs, steadyStreams } from './testing/steady-streams.ts'

const tokensPerSecond = 20
const firstTokenMs = 50
/** Half of a reply: what it takes to begin turns weighs, but not as much as if all began at once. */
const withinMs = 2_500
const gapBoundMs = 100
const first = 500
/** Of the engine's batch. */
const most = 4_000
const halvings = 2

interface Found {
  readonly streams: number
  /** At so many. */
  readonly heard: readonly Heard[]
}

async function search(port: number, dialect: Dialect, tokens: number, rounds: number, say: (progress: string) => void): Promise<Found> {
  const sessions: Session[] = []
  const heardAt = new Map<number, Heard[]>()
  const fits = async (count: number): Promise<boolean> => {
    try {
      if (count > sessions.length) sessions.push(...(await openSessions(loopback(port), dialect, count - sessions.length)))
      const heard = await steadyStreams(sessions.slice(0, count), tokens, withinMs)
      say(`${count} streams: ${gapMs(heard, 99).toFixed(0)} ms`)
      heardAt.set(count, [...(heardAt.get(count) ?? []), heard])
      return gapMs(heard, 99) <= gapBoundMs
    } catch (error) {
      say(`${count} streams: ${String(error)}`)
      return false
    }
  }
  try {
    const streams = await largestThatFits(fits, first, most, halvings)
    for (let round = 1; streams > 0 && round < rounds; round += 1) await fits(streams)
    return { streams, heard: heardAt.get(streams) ?? [] }
  } finally {
    for (const session of sessions) session.leave()
  }
}

await runBenchmark({
  name: 'most-streams',
  title: 'The most streams',
  question: `How many streams of ${tokensPerSecond} tokens a second do two cores carry, load and engine included, with p99 of the pauses at ${gapBoundMs} ms at most?`,
  options: {
    tokens: { default: 100, quick: 60, help: 'of each reply' },
    rounds: { default: 3, quick: 1, help: 'at the number found' },
  },
  run: async ({ tokens, rounds }, say) => {
    const contestants: Contestant[] = []
    const leftOut: { name: string; why: string }[] = []
    const add = ({ name, version }: Pick<Contestant, 'name' | 'version'>, { streams, heard }: Found, isOurs: boolean): void => {
      contestants.push({
        name,
        version,
        ...(isOurs ? { isOurs } : {}),
        figures: [
          { name: 'streams', unit: '', samples: [streams] },
          { name: 'tokens', unit: 'a second', samples: heard.map((each) => each.tokens / each.seconds) },
          { name: 'between two texts p99, with so many', unit: 'ms', samples: heard.map((each) => gapMs(each, 99)) },
        ],
      })
    }
    const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond, firstTokenMs, replyTokens: tokens })
    try {
      say('ChatterBot')
      add({ name: 'ChatterBot' }, await search(cluster.port, 'chatterbot', tokens, rounds, say), true)
      for (const kind of [smallestPipeline, ws, fastapiAiohttp]) {
        say(kind.name)
        const peer = await kind.start({ url: cluster.engineUrl, tokensPerSecond, firstTokenMs, replyTokens: tokens }).catch((error: unknown) => void leftOut.push({ name: kind.name, why: String(error) }))
        if (!peer) continue
        try {
          add(peer, await search(peer.port, peer.dialect, tokens, rounds, say), false)
        } finally {
          await peer.stop()
        }
      }
    } finally {
      await cluster.stop()
    }
    return {
      tables: [{ title: `Streams of ${tokensPerSecond} tokens a second`, compared: 'streams', contestants }],
      leftOut,
      remarks: [`The search doubles from ${number(first)} to ${number(most)}, and halves ${halvings} times what lies between. The engine takes part of the same cores from all alike; ChatterBot's processes stand idle beside the others.`],
    }
  },
})
