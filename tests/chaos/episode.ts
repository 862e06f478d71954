/** A load, some faults one after the other, and the verdict. */
import { setTimeout as delay } from 'node:timers/promises'
import { check } from './checker/check.ts'
import type { Evidence, FaultWindow, Finding } from './checker/evidence.ts'
import { longestPauses, type Pauses } from './checker/pauses.ts'
import { readStored } from './checker/read-stored.ts'
import type { Fault } from './faults/fault.ts'
import { Load } from './load/load.ts'
import type { Random } from './random.ts'
import type { Rest } from './system/leftovers.ts'
import type { Services } from './system/services.ts'
import type { System } from './system/system.ts'

export interface EpisodeOptions {
  readonly system: System
  readonly services: Services
  readonly rest: Rest
  readonly random: Random
  readonly faults: readonly Fault[]
  readonly conversations: number
  /** Sets its users apart from those of other episodes. */
  readonly name: string
  /** Waits for conversations to leave memory, a minute after they were last used. */
  readonly untilForgotten?: boolean
  readonly onProgress?: (text: string) => void
}

export interface Inflicted {
  readonly fault: string
  readonly pauses: Pauses
  readonly window: FaultWindow
}

export interface EpisodeResult {
  readonly evidence: Evidence
  readonly findings: readonly Finding[]
  readonly inflicted: readonly Inflicted[]
}

/** After a fault, until everybody has got a reply again: a redelivery and an engine's silence, and then some. */
const recoveryMs = 45_000
/** Jobs of turns that ended otherwise are delivered once more, and acked. */
const restMs = 15_000
/** Longer than an idle conversation is kept. */
const forgottenMs = 90_000

export async function runEpisode({ system, services, rest, random, faults, conversations, name, untilForgotten = false, onProgress = () => {} }: EpisodeOptions): Promise<EpisodeResult> {
  const engineBefore = (await services.engine.requests()).length
  const load = await Load.connect({ conversations, port: () => system.port, name, random: random.fork() })
  const windows: FaultWindow[] = []
  const stuck: Finding[] = []
  try {
    load.start()
    for (const fault of faults) {
      onProgress(fault.name)
      await delay(random.between(200, 1_500))
      const from = Date.now()
      await fault.inflict({ system, services, load, random: random.fork() })
      const recovered = await load.progresses(1, recoveryMs)
      windows.push({ fault: fault.name, from, until: Date.now(), allowance: fault.allowance })
      if (!recovered) stuck.push({ kind: 'error', what: `not everybody got a reply within ${recoveryMs / 1000} s after the end of ${fault.name}`, conversationId: null, turnId: null, at: Date.now() })
      onProgress(`${fault.name}: ${recovered ? 'recovered' : 'NOT recovered'} after ${Date.now() - from} ms`)
    }
    await load.stop()
    const stored = await readStored(services.databases, load.conversationIds)
    const transcripts = await load.transcripts(stored)
    await load.close()
    const leftovers = await rest.leftovers(untilForgotten ? forgottenMs : restMs, { actors: untilForgotten })
    const evidence: Evidence = { transcripts, sent: load.sent, stored, engine: (await services.engine.requests()).slice(engineBefore), faults: windows, systemPrompt: null, leftovers }
    const inflicted = windows.map((window) => ({ fault: window.fault, window, pauses: longestPauses(evidence, window.from, window.until) }))
    return { evidence, findings: [...stuck, ...check(evidence)], inflicted }
  } finally {
    await load.close()
  }
}
