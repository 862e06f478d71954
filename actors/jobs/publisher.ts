/**
 * Publishes jobs, and tells queued turns how far the queue has come. What cannot be published now (the bus is away) is
 * published at its return.
 */
import { lanes, type JobPointer, type JobQueue, type Lane, type PublishedJob } from '../../platform/bus/job-queue.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { JobBacklog } from './job-backlog.ts'

const pollMs = 1_000
/** Where nobody is told a position, and no lane has a queue that would end soon. */
const idlePollMs = 5_000
/** Throughput is measured over about this long. */
const rateWindowMs = 30_000
/** Jobs of a lane that wait although no actor here holds their turn; the sweeper finds those beyond again. */
const mostUntracked = 20_000

export interface QueuePosition {
  readonly position: number
  readonly etaMs: number | null
}

interface LaneState {
  deliveredSequence: number
  waiting: number
  /** Jobs delivered a millisecond, smoothed. */
  rate: number
  at: number
}

export interface JobPublisherOptions {
  readonly queue: JobQueue
  readonly logger: Logger
  /** Milliseconds. */
  readonly monotonic: () => number
  /** Whether turns of this process wait for their place in the queue to be told. */
  readonly areWaiting: () => boolean
  /** The queue is another one than before: jobs that were published in that are lost. */
  readonly onLost: () => void
  readonly onPositions: (positionOf: (turnId: string) => QueuePosition | null) => void
}

export class JobPublisher {
  readonly #options: JobPublisherOptions
  readonly #backlogs: ReadonlyMap<Lane, JobBacklog>
  /** Turns that actors of this process hold: as many as they do. */
  readonly #tracked = new Set<string>()
  readonly #published = new Map<string, { readonly lane: Lane; readonly sequence: number }>()
  readonly #lanes = new Map<Lane, LaneState>()
  #timer: NodeJS.Timeout | null = null
  #polling = false
  #polledAt = -Infinity

  constructor(options: JobPublisherOptions) {
    this.#options = options
    const { queue, logger } = options
    const onStored = (job: JobPointer, published: PublishedJob): void => this.#stored(job, published)
    this.#backlogs = new Map(lanes.map((lane) => [lane, new JobBacklog({ queue, logger, onStored })]))
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      this.retry()
      void this.#poll()
    }, pollMs)
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer)
    this.#timer = null
  }

  /** Jobs not yet delivered, in all lanes, and what a newcomer of the standard lane may expect. */
  get load(): { readonly queueDepth: number; readonly etaMs: number } {
    let queueDepth = 0
    let etaMs = 0
    for (const state of this.#lanes.values()) {
      queueDepth += state.waiting
      if (state.waiting > 0 && state.rate > 0) etaMs = Math.max(etaMs, state.waiting / state.rate)
    }
    return { queueDepth, etaMs: Math.round(etaMs) }
  }

  /** A `tracked` job's position is told until it is forgotten. */
  publish(job: JobPointer, tracked: boolean): void {
    const backlog = this.#backlogs.get(job.lane) as JobBacklog
    if (tracked) this.#tracked.add(job.turnId)
    else if (backlog.size >= mostUntracked) return
    backlog.add(job)
  }

  forget(turnId: string): void {
    this.#tracked.delete(turnId)
    this.#published.delete(turnId)
    for (const backlog of this.#backlogs.values()) backlog.remove(turnId)
  }

  /** The bus is back, or may be. */
  retry(): void {
    for (const backlog of this.#backlogs.values()) backlog.retry()
  }

  #stored(job: JobPointer, { sequence }: PublishedJob): void {
    // Forgotten meanwhile: its turn has ended.
    if (sequence !== null && this.#tracked.has(job.turnId)) this.#published.set(job.turnId, { lane: job.lane, sequence })
  }

  async #poll(): Promise<void> {
    const { queue, monotonic, areWaiting, onLost } = this.#options
    const isIdle = monotonic() - this.#polledAt < idlePollMs - pollMs / 2 && this.load.queueDepth === 0 && !areWaiting()
    if (this.#polling || isIdle) return
    this.#polling = true
    this.#polledAt = monotonic()
    try {
      const found = await Promise.all(lanes.map(async (lane) => [lane, await queue.depth(lane)] as const))
      if (found.some(([lane, { deliveredSequence }]) => deliveredSequence < (this.#lanes.get(lane)?.deliveredSequence ?? 0))) {
        this.#lanes.clear()
        onLost()
      }
      for (const [lane, depth] of found) this.#observe(lane, depth)
      this.#options.onPositions((turnId) => this.#positionOf(turnId))
    } catch (error) {
      this.#options.logger.debug({ err: error }, 'the queue cannot be seen')
    } finally {
      this.#polling = false
    }
  }

  #observe(lane: Lane, depth: { readonly waiting: number; readonly deliveredSequence: number }): void {
    const at = this.#options.monotonic()
    const before = this.#lanes.get(lane)
    const elapsed = before === undefined ? 0 : at - before.at
    const weight = Math.min(1, elapsed / rateWindowMs)
    const observed = before === undefined || elapsed <= 0 ? 0 : (depth.deliveredSequence - before.deliveredSequence) / elapsed
    const rate = before === undefined ? 0 : before.rate + (observed - before.rate) * weight
    this.#lanes.set(lane, { deliveredSequence: depth.deliveredSequence, waiting: depth.waiting, rate, at })
  }

  #positionOf(turnId: string): QueuePosition | null {
    const job = this.#published.get(turnId)
    const lane = job && this.#lanes.get(job.lane)
    if (job === undefined || lane === undefined) return null
    const position = Math.max(0, job.sequence - lane.deliveredSequence)
    return { position, etaMs: lane.rate > 0 ? Math.round(position / lane.rate) : null }
  }
}
