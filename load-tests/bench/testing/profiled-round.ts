/** A round of streams that counts for nothing but what edge and bridge spend their CPU time on meanwhile. */
import { existsSync, readFileSync, rmSync } from 'node:fs'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { openSessions } from '../../stream-client/open-sessions.ts'
import { talk } from '../../stream-client/talk.ts'
import { loopback } from '../../stream-client/wire.ts'
import type { ClusterUnderTest } from './cluster-under-test.ts'
import { cpuShares, type CpuProfile } from './cpu-shares.ts'
import type { StreamLoad } from './stream-contest.ts'

export interface ProfiledRound {
  readonly edge: ReadonlyMap<string, number>
  readonly bridge: ReadonlyMap<string, number>
}

const writtenWithinMs = 10_000

/** Of a cluster that was started with `profilesOnSignal: folder`. */
export async function profileRound(cluster: ClusterUnderTest, folder: string, { streams, tokens, withinMs }: StreamLoad): Promise<ProfiledRound> {
  const pids = ['edge-1', 'bridge-1'].map((node) => cluster.pidOf(node) as number) as [number, number]
  const sessions = await openSessions(loopback(cluster.port), 'chatterbot', streams)
  try {
    for (const pid of pids) process.kill(pid, 'SIGUSR2')
    await talk(sessions, { turnsEach: 1, withinMs, tokens, question: `Tell me [[tokens=${tokens}]]` })
    for (const pid of pids) process.kill(pid, 'SIGUSR2')
    const [edge, bridge] = [await readProfile(folder, pids[0]), await readProfile(folder, pids[1])]
    return { edge: cpuShares(edge), bridge: cpuShares(bridge) }
  } finally {
    for (const session of sessions) session.leave()
  }
}

async function readProfile(folder: string, pid: number): Promise<CpuProfile> {
  const file = path.join(folder, `${pid}.cpuprofile`)
  for (const until = Date.now() + writtenWithinMs; !existsSync(file); await delay(50)) {
    if (Date.now() > until) throw new Error(`${pid} has written no profile`)
  }
  const profile = JSON.parse(readFileSync(file, 'utf8')) as CpuProfile
  // The next round's is another.
  rmSync(file)
  return profile
}
