/** What the feed costs to bring text to many connections, against a frame encoded and sent for each token and connection. */
import { encodeDelta } from '../../protocol/websocket/codec.ts'
import { Feed } from '../../actors/feed/feed.ts'
import { flushTogether } from '../../actors/feed/flush-together.ts'
import { compare } from './compare.ts'
import { headline } from './headlines.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'
import { requireText, Sink, turnIdOf } from './testing/sink.ts'

const tokens = 200
/** Tokens between two flushes: 50 a second at 25 ms makes 1.25, and bursts make more. */
const tokensAFlush = 2
const token = ' token'

function throughFeed(turns: number, sockets: number): () => void {
  return () => {
    const sinks: Sink[] = []
    const feeds = Array.from({ length: turns }, (_, n) => {
      const feed = new Feed(n, { markDirty: () => undefined, held: false })
      for (let socket = 0; socket < sockets; socket += 1) {
        const sink = new Sink()
        sinks.push(sink)
        feed.subscribe(sink, { turnId: turnIdOf(n), attempt: 1, offset: 0 }, () => undefined).start()
      }
      return feed
    })
    for (let n = 1; n <= tokens; n += 1) {
      for (const [turn, feed] of feeds.entries()) feed.show(turnIdOf(turn), 1, token)
      if (n % tokensAFlush === 0) flushTogether(feeds)
    }
    requireText(sinks, tokens * token.length)
  }
}

function eachByItself(turns: number, sockets: number): () => void {
  return () => {
    const sinks = Array.from({ length: turns * sockets }, () => new Sink())
    for (let n = 0; n < tokens; n += 1) {
      for (const [index, sink] of sinks.entries()) {
        sink.send(encodeDelta('chatterbot.v1.json', turnIdOf(Math.floor(index / sockets)), 1, n * token.length, (n + 1) * token.length, token))
      }
    }
  }
}

await runBenchmark({
  name: 'fan-out',
  title: 'A token to many connections',
  question: 'What does it cost to bring a token to everybody who watches, against a frame encoded and sent for each of them?',
  options: { rounds: { default: 7, quick: 3, help: 'of each case' } },
  run: async ({ rounds }) => {
    const tables: Table[] = []
    for (const { turns, sockets } of [{ turns: 1_000, sockets: 1 }, { turns: 200, sockets: 5 }, { turns: 1, sockets: 1_000 }]) {
      tables.push(
        await compare({
          title: `${turns} ${turns === 1 ? 'turn' : 'turns'}, ${sockets} ${sockets === 1 ? 'connection' : 'connections'} each`,
          unit: 'token and connection',
          operations: turns * sockets * tokens,
          rounds,
          cases: [
            { name: 'the feed', run: throughFeed(turns, sockets) },
            { name: 'a frame a token', run: eachByItself(turns, sockets) },
          ],
        }),
      )
    }
    return { tables, headlines: tables.slice(-1).map((table) => headline('a token to one of 1,000 connections on a conversation', table, 'a frame a token')) }
  },
})
