/**
 * All clients of a server have lost their connection, and come back in one instant: how long it takes until the last is
 * connected again, and what that costs the server. ChatterBot's welcome, and its conversations opened where they were, beside
 * servers that know nothing of who comes.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { cpuSeconds } from './cpu-time.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'
import { measureEach, type Client, type Holder } from './testing/holders.ts'

/** Until all of those who left are gone from the server. */
const goneMs = 1_000
const cpuName = 'CPU for each'

interface Round {
  readonly seconds: number
  /** Of the server, for each client. */
  readonly cpuMicroseconds: number
  readonly refused: number
}

/** All at once; who is refused tries again. */
async function storm({ pids, open }: Holder, sockets: number): Promise<{ readonly round: Round; readonly clients: readonly Client[] }> {
  const spent = (): number => pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  const [began, before] = [performance.now(), spent()]
  let refused = 0
  const insist = async (n: number): Promise<Client> => {
    for (;;) {
      try {
        return await open(n)
      } catch {
        refused += 1
        await delay(100 * Math.random())
      }
    }
  }
  const clients = await Promise.all(Array.from({ length: sockets }, (_, n) => insist(n)))
  const seconds = (performance.now() - began) / 1000
  return { round: { seconds, cpuMicroseconds: ((spent() - before) / sockets) * 1e6, refused }, clients }
}

/** The first time they come, which doesn't count, they come for the first time. */
async function measure(holder: Holder, sockets: number, rounds: number): Promise<Round[]> {
  const measured: Round[] = []
  for (let n = 0; n <= rounds; n += 1) {
    const { round, clients } = await storm(holder, sockets)
    if (n > 0) measured.push(round)
    for (const client of clients) client.leave()
    await delay(goneMs)
  }
  return measured
}

await runBenchmark({
  name: 'reconnect-storm',
  title: 'Everybody reconnects at once',
  question: 'How long does it take until all clients of a server are connected again, and what does it cost?',
  options: { sockets: { default: 10_000, quick: 2_000, help: 'that come at once' }, rounds: { default: 5, quick: 2, help: 'of each server' } },
  run: async ({ sockets, rounds }, say) => {
    const { contestants, leftOut } = await measureEach(say, async (holder) => {
      const measured = await measure(holder, sockets, rounds)
      return [
        { name: 'until the last is connected', unit: 's', samples: measured.map(({ seconds }) => seconds) },
        { name: cpuName, unit: 'µs', samples: measured.map(({ cpuMicroseconds }) => cpuMicroseconds) },
        { name: 'refused, and tried again', unit: '', samples: measured.map(({ refused }) => refused) },
      ]
    })
    const table: Table = { title: `${sockets} connections at once`, compared: cpuName, contestants }
    return { tables: [table], leftOut }
  },
})
