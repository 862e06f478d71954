/**
 * ChatterBot's cluster, its floors and its peers side by side on the same streams: one simulated engine, one lean client,
 * one contestant after the other, round after round. A stream is a person with a connection of their own who asks once a
 * round; the others' processes are there, and idle.
 */
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { openSessions } from '../../stream-client/open-sessions.ts'
import type { Session } from '../../stream-client/session.ts'
import { talk, type Heard } from '../../stream-client/talk.ts'
import { loopback } from '../../stream-client/wire.ts'
import type { Peer, PeerKind } from '../../peers/peer.ts'
import { coreWaitSeconds, cpuSeconds, ownSeconds } from '../cpu-time.ts'
import { percentile } from '../measure.ts'
import { since, startCluster, type ClusterOptions, type ClusterUnderTest, type CpuTimes } from './cluster-under-test.ts'

export interface StreamLoad {
  readonly streams: number
  readonly tokensPerSecond: number
  /** Of a reply. */
  readonly tokens: number
  /** They begin at random within so long. */
  readonly withinMs: number
  readonly rounds: number
}

export interface Entrant {
  readonly peer: Peer
  /** Connections that are open besides, and never ask. */
  readonly idle?: number
  /** Processes, by name, that are none of the peer's, and compete with them for the cores. */
  readonly beside?: ReadonlyMap<string, number>
}

export interface StreamRound {
  /** Seconds, by process. */
  readonly cpu: ReadonlyMap<string, number>
  /** Seconds of those beside, by process. */
  readonly cpuBeside: ReadonlyMap<string, number>
  /** Seconds in which one could have run and had no core, by process: the peer's and those beside, without children. */
  readonly coreWait: ReadonlyMap<string, number>
  /** Milliseconds by which the client's timers are late, at p99: what it hears is noted as much later at most. */
  readonly clientLate: number
  /** Delivered and verified. */
  readonly tokens: number
  readonly seconds: number
  readonly tokensAFrame: number
  /** Milliseconds. Of the first text and of the gaps within a reply. */
  readonly first: { readonly p50: number; readonly p99: number }
  readonly gap: { readonly p50: number; readonly p99: number; readonly max: number }
  /** Replies that are not what the engine said, and those that did not end. */
  readonly faults: number
  readonly failures: readonly string[]
  /** It took much longer than the engine alone: it cannot keep up. */
  readonly isSaturated: boolean
}

type Spent = Pick<StreamRound, 'cpu' | 'cpuBeside' | 'coreWait' | 'clientLate'>

export interface Streamed {
  readonly name: string
  readonly version?: string | undefined
  readonly rounds: readonly StreamRound[]
}

export const firstTokenMs = 50

const lateResolutionMs = 10

/** How much longer than the engine's a round may take until it counts as saturated. */
const saturation = 1.25
/** A reply that takes as many times as long as the engine's is given up, and its connection. */
const patience = 20

/** ChatterBot, whose cluster brings the engine that all others ask; `edges` and `bridges` 1. */
export async function startOurs(load: StreamLoad, profiles: Pick<ClusterOptions, 'profiles' | 'profilesOnSignal'>): Promise<{ cluster: ClusterUnderTest; peer: Peer }> {
  const cluster = await startCluster({ edges: 1, bridges: 1, tokensPerSecond: load.tokensPerSecond, firstTokenMs, replyTokens: load.tokens, ...profiles })
  const { report } = cluster
  const processes = new Map([...report.processes.map(({ node, pid }) => [node, pid] as const), ...report.services.map(({ name, pid }) => [name, pid] as const)].flatMap(([name, pid]) => (pid === null ? [] : [[name, pid] as const])))
  return { cluster, peer: { name: 'ChatterBot', dialect: 'chatterbot', port: cluster.port, processes, stop: () => cluster.stop() } }
}

/** Starts all that can be had; the others are told of by name. */
export async function startPeers(kinds: readonly PeerKind[], load: StreamLoad, engineUrl: string, leftOut: (name: string, why: string) => void): Promise<Peer[]> {
  const started: Peer[] = []
  for (const kind of kinds) {
    const peer = await kind.start({ url: engineUrl, tokensPerSecond: load.tokensPerSecond, firstTokenMs, replyTokens: load.tokens }).catch((error: unknown) => leftOut(kind.name, error instanceof Error ? error.message : String(error)))
    if (peer !== undefined) started.push(peer)
  }
  return started
}

/** The engine asked directly, as its clients ask it. */
export function engineDirectly(cluster: ClusterUnderTest): Peer {
  return { name: 'engine, asked directly', dialect: 'openai', port: cluster.enginePort, processes: new Map(), stop: () => Promise.resolve() }
}

/**
 * The first is the floor, by which the others' patience and saturation are told. A round of each goes before, and doesn't
 * count. Who refuses connections is told of, and out.
 */
export async function contest(entrants: readonly Entrant[], load: StreamLoad, say: (progress: string) => void, leftOut: (name: string, why: string) => void): Promise<Streamed[]> {
  const connected = entrants.map((entrant) => new Connected(entrant, load))
  const results = new Map(connected.map((each) => [each, { name: each.name, version: each.version, rounds: [] as StreamRound[] }]))
  try {
    for (let round = 0; round <= load.rounds; round += 1) {
      let floorS = idealSeconds(load)
      for (const each of connected) {
        const result = results.get(each)
        if (result === undefined) continue
        say(`${load.streams} streams, ${round === 0 ? 'warming up' : `round ${round} of ${load.rounds}`}: ${each.name}`)
        try {
          await each.connect()
        } catch (error) {
          results.delete(each)
          leftOut(each.name, error instanceof Error ? error.message : String(error))
          continue
        }
        const heard = await each.round(floorS)
        if (each === connected[0]) floorS = heard.seconds
        if (round > 0) result.rounds.push(roundOf(heard, each.spent, floorS))
      }
    }
  } finally {
    for (const each of connected) each.leave()
  }
  return [...results.values()]
}

function idealSeconds({ tokens, tokensPerSecond, withinMs }: StreamLoad): number {
  return tokens / tokensPerSecond + (withinMs + firstTokenMs) / 1000
}

/** A contestant and those who are connected to it. */
class Connected {
  /** In the last round. */
  spent: Spent = { cpu: new Map(), cpuBeside: new Map(), coreWait: new Map(), clientLate: Number.NaN }
  readonly #peer: Peer
  readonly #idle: number
  readonly #beside: ReadonlyMap<string, number>
  readonly #load: StreamLoad
  #sessions: Session[] = []

  constructor({ peer, idle = 0, beside = new Map() }: Entrant, load: StreamLoad) {
    this.#peer = peer
    this.#idle = idle
    this.#beside = beside
    this.#load = load
  }

  get name(): string {
    return this.#peer.name
  }

  get version(): string | undefined {
    return this.#peer.version
  }

  /** Where it is not. Rejects where it is refused. */
  async connect(): Promise<void> {
    if (this.#sessions.length === 0) this.#sessions = await openSessions(loopback(this.#peer.port), this.#peer.dialect, this.#load.streams + this.#idle)
  }

  async round(floorS: number): Promise<Heard> {
    const { streams, tokens, withinMs } = this.#load
    const before = this.#spentNow()
    const late = monitorEventLoopDelay({ resolution: lateResolutionMs })
    late.enable()
    const outOfPatience = setTimeout(() => this.leave(), floorS * patience * 1000)
    const heard = await talk(this.#sessions.slice(0, streams), { turnsEach: 1, withinMs, tokens, question: `Tell me [[tokens=${tokens}]]` })
    clearTimeout(outOfPatience)
    late.disable()
    const after = this.#spentNow()
    this.spent = {
      cpu: since(before.cpu, after.cpu),
      cpuBeside: since(before.cpuBeside, after.cpuBeside),
      coreWait: since(before.coreWait, after.coreWait),
      clientLate: Math.max(0, late.percentile(99) / 1e6 - lateResolutionMs),
    }
    // Connections that failed are not asked again.
    if (heard.failures.length > 0) this.leave()
    return heard
  }

  leave(): void {
    for (const session of this.#sessions) session.leave()
    this.#sessions = []
  }

  #spentNow(): Omit<Spent, 'clientLate'> {
    const { processes } = this.#peer
    const each = (pids: Iterable<readonly [string, number]>, of: (pid: number) => number): CpuTimes => new Map([...pids].map(([name, pid]) => [name, of(pid)]))
    return { cpu: each(processes, cpuSeconds), cpuBeside: each(this.#beside, ownSeconds), coreWait: each([...processes, ...this.#beside], coreWaitSeconds) }
  }
}

function roundOf(heard: Heard, spent: Spent, floorS: number): StreamRound {
  const { tokens, frames, seconds, firstTextMs, gaps, lost, doubled, reordered, failures } = heard
  return {
    ...spent,
    tokens,
    seconds,
    tokensAFrame: tokens / frames,
    first: { p50: percentile(firstTextMs, 0.5), p99: percentile(firstTextMs, 0.99) },
    gap: { p50: gaps.percentile(50) / 1000, p99: gaps.percentile(99) / 1000, max: gaps.max / 1000 },
    faults: lost + doubled + reordered,
    failures,
    isSaturated: seconds > floorS * saturation,
  }
}
