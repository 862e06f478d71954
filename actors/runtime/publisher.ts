/**
 * Publishes jobs, and tells queued turns how far the queue has come. What cannot be published now (the bus is away) is
 * published at its return; and should that fail too, the sweeper does it.
 */
import type { JobPointer, JobQueue, Lane } from '../../platform/bus/job-queue.ts'
import { lanes } from '../../platform/bus/job-queue.ts'
import type { Logger } from '../../platform/logging/logger.ts'

const pollMs = 1_000
/** Throughput is measured over about this long. */
const rateWindowMs = 30_000

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

export class JobPublisher {
  readonly #queue: JobQueue
  readonly #logger: Logger
  readonly #monotonic: () => number
  readonly #onPositions: (positionOf: (turnId: string) => QueuePosition | null) => void
  /** Jobs not stored yet, of turns that actors of this process hold. */
  readonly #backlog = new Map<string, JobPointer>()
  readonly #published = new Map<string, { readonly lane: Lane; readonly sequence: number }>()
  readonly #lanes = new Map<Lane, LaneState>()
  #timer: NodeJS.Timeout | null = null
  #polling = false

  constructor(options: { queue: JobQueue; logger: Logger; monotonic: () => number; onPositions: (positionOf: (turnId: string) => QueuePosition | null) => void }) {
    this.#queue = options.queue
    this.#logger = options.logger
    this.#monotonic = options.monotonic
    this.#onPositions = options.onPositions
  }

  start(): void {
    this.#timer ??= setInterval(() => void this.#poll(), pollMs)
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
    if (tracked) this.#backlog.set(job.turnId, job)
    void this.#publish(job)
  }

  forget(turnId: string): void {
    this.#backlog.delete(turnId)
    this.#published.delete(turnId)
  }

  async #publish(job: JobPointer): Promise<void> {
    try {
      const { sequence } = await this.#queue.publish(job)
      // Forgotten meanwhile: its turn has ended.
      if (this.#backlog.delete(job.turnId) && sequence !== null) this.#published.set(job.turnId, { lane: job.lane, sequence })
    } catch (error) {
      this.#logger.warn({ err: error, turn: job.turnId }, 'job not published yet')
    }
  }

  async #poll(): Promise<void> {
    if (this.#polling) return
    this.#polling = true
    try {
      for (const job of [...this.#backlog.values()].slice(0, 256)) await this.#publish(job)
      for (const lane of lanes) this.#observe(lane, await this.#queue.depth(lane))
      this.#onPositions((turnId) => this.#positionOf(turnId))
    } catch (error) {
      this.#logger.debug({ err: error }, 'the queue cannot be seen')
    } finally {
      this.#polling = false
    }
  }

  #observe(lane: Lane, depth: { readonly waiting: number; readonly deliveredSequence: number }): void {
    const at = this.#monotonic()
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
