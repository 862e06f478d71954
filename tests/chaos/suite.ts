/** One run: the cluster under one fault after the other, and under its failure points. */
import { Cleanup } from './cleanup.ts'
import { runEpisode, type EpisodeOptions, type EpisodeResult } from './episode.ts'
import { startMortalCluster } from './faults/failure-points.ts'
import type { Fault } from './faults/fault.ts'
import { KeptRun } from './kept-run.ts'
import { Random } from './random.ts'
import { describe, Report } from './report.ts'
import { launchCluster } from './system/launched-cluster.ts'
import { Rest } from './system/leftovers.ts'
import { startServices } from './system/services.ts'
import type { Role } from './system/system.ts'

export interface SuiteOptions {
  readonly seed: number
  readonly conversations: number
  /** Episodes, each with these faults one after the other: more are asked for until there is none. */
  readonly nextFaults: (random: Random) => readonly Fault[] | null
  /** Lastly waits, without a fault, for conversations to leave memory: a minute and a half. */
  readonly waitsForMemory?: boolean
  readonly say: (text: string) => void
}

/** Against `npm run cluster`, two edges and two bridges. */
export async function runFaults({ seed, conversations, nextFaults, waitsForMemory = false, say }: SuiteOptions, report: Report, kept: KeptRun): Promise<void> {
  const cleanup = new Cleanup()
  try {
    const services = await startServices(cleanup)
    const system = await launchCluster(cleanup, services, { edges: 2, bridges: 2, restartAfterMs: 2_000, folder: kept.folder })
    const rest = new Rest(services, system)
    await rest.observe()
    const random = new Random(seed)
    for (let episode = 1; ; episode++) {
      const faults = nextFaults(random)
      if (faults === null && !waitsForMemory) return
      const name = `${episode}-${(faults ?? []).map((fault) => fault.name).join('+').slice(0, 60)}`
      await judged({ system, services, rest, faults: faults ?? [], conversations, untilForgotten: faults === null, random: random.fork(), name: `chaos-${seed}-${episode}`, onProgress: say }, name, report, kept, say)
      if (faults === null) return
    }
  } finally {
    await cleanup.run()
  }
}

/** Against edges or bridges that kill themselves at every point. Resolves with the points that were not reached. */
export async function runPoints(role: Role, { seed, conversations, say }: Pick<SuiteOptions, 'seed' | 'conversations' | 'say'>, report: Report, kept: KeptRun): Promise<string[]> {
  const cleanup = new Cleanup()
  try {
    const services = await startServices(cleanup)
    const random = new Random(seed)
    const mortal = await startMortalCluster(cleanup, services, role, random, (node, line) => kept.log(node, line))
    const { system, fault } = mortal
    const rest = new Rest(services, system)
    await rest.observe()
    await judged({ system, services, rest, faults: [fault], conversations, random: random.fork(), name: `points-${seed}`, onProgress: say }, fault.name, report, kept, say)
    return mortal.points.filter((point) => !mortal.visited().includes(point))
  } finally {
    await cleanup.run()
  }
}

async function judged(options: EpisodeOptions, name: string, report: Report, kept: KeptRun, say: (text: string) => void): Promise<EpisodeResult> {
  const result = await runEpisode(options)
  report.add(result)
  if (result.findings.length > 0) {
    kept.keep(name, result)
    for (const finding of result.findings.slice(0, 20)) say(`  ${describe(finding)}`)
  }
  return result
}
