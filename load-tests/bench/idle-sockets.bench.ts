/**
 * Resident memory of a server for each client that is connected and says nothing: ChatterBot's beside others'. A quarter as
 * many come first, while the process grows into its work, and don't count. One figure each: heaps grow in lumps, so that
 * steps of it would tell nothing.
 */
import { setTimeout as delay } from 'node:timers/promises'
import { memoryMiB } from './cpu-time.ts'
import { headline } from './headlines.ts'
import { runBenchmark } from './program.ts'
import type { Table } from './result.ts'
import { holders, measureEach, type Client, type Holder } from './testing/holders.ts'

const atATime = 100
/** Collectors of garbage run when they like: what is left a while later is taken. */
const settleMs = 3_000
const figure = 'resident memory for each'

/** KiB for each. */
async function measure({ pids, open }: Holder, sockets: number): Promise<number> {
  const clients: Client[] = []
  const connect = async (count: number): Promise<number> => {
    const wanted = clients.length + count
    while (clients.length < wanted) clients.push(...(await Promise.all(Array.from({ length: Math.min(atATime, wanted - clients.length) }, (_, n) => open(clients.length + n)))))
    await delay(settleMs)
    return pids.reduce((sum, pid) => sum + memoryMiB(pid), 0) * 1024
  }
  const before = await connect(Math.ceil(sockets / 4))
  const after = await connect(sockets)
  for (const client of clients) client.leave()
  return (after - before) / sockets
}

await runBenchmark({
  name: 'idle-sockets',
  title: 'Memory of idle connections',
  question: 'What does a client who is connected and silent cost a server, in memory?',
  options: { sockets: { default: 10_000, quick: 2_000, help: 'of each server' } },
  run: async ({ sockets }, say) => {
    const { contestants, leftOut } = await measureEach(say, async (holder) => [{ name: figure, unit: 'KiB', samples: [await measure(holder, sockets)] }])
    const table: Table = { title: `${sockets} idle connections`, compared: figure, contestants }
    const beside = holders.flatMap(({ name, isOurs }) => (isOurs ? [] : [name]))
    return { tables: [table], headlines: [headline('memory of a server for an idle connection', table, ...beside)], leftOut }
  },
})
