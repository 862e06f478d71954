import { BusError } from '../channel.ts'
import type { Job, JobPointer, JobQueueLimits, Lane, LaneDepth, PublishedJob } from '../job-queue.ts'

interface StoredJob {
  readonly pointer: JobPointer
  readonly turnId: string
  readonly sequence: number
  deliveries: number
  /** Ends the ack wait or the delay of a nak. Null while the job waits to be delivered. */
  timer: NodeJS.Timeout | null
}

interface Waiter {
  readonly max: number
  readonly give: (jobs: Job[]) => void
}

const longestTimeoutMs = 2 ** 31 - 1

/** The jobs of one lane, and who waits for them. */
export class MemoryLane {
  readonly #lane: Lane
  readonly #limits: JobQueueLimits
  readonly #byTurn = new Map<string, StoredJob>()
  /** Never delivered, in the order of their publication. */
  readonly #fresh = new Set<StoredJob>()
  /** To be delivered again, in the order in which that fell due. */
  readonly #again = new Set<StoredJob>()
  readonly #waiters = new Set<Waiter>()
  #lastSequence = 0
  #deliveredSequence = 0

  constructor(lane: Lane, limits: JobQueueLimits) {
    this.#lane = lane
    this.#limits = limits
  }

  /** Throws BusError `full`. */
  publish(pointer: JobPointer): PublishedJob {
    const { turnId } = pointer
    const known = this.#byTurn.get(turnId)
    if (known !== undefined) return { sequence: known.sequence, duplicate: true }
    const { laneCapacity } = this.#limits
    if (this.#byTurn.size >= laneCapacity) throw new BusError('full', `lane ${this.#lane} holds ${laneCapacity} jobs, and no more fit`)
    this.#lastSequence += 1
    const job: StoredJob = { pointer, turnId, sequence: this.#lastSequence, deliveries: 0, timer: null }
    this.#byTurn.set(turnId, job)
    this.#fresh.add(job)
    this.#serve()
    return { sequence: job.sequence, duplicate: false }
  }

  depth(): LaneDepth {
    const waiting = this.#fresh.size
    return { waiting, delivered: this.#byTurn.size - waiting, deliveredSequence: this.#deliveredSequence }
  }

  /** Up to `max` jobs that can be delivered now; their client may still be cut off. */
  take(max: number): Job[] {
    const taken: Job[] = []
    for (const job of this.#again) {
      if (taken.length >= max) return taken
      this.#again.delete(job)
      taken.push(this.#deliver(job))
    }
    for (const job of this.#fresh) {
      if (taken.length >= max || this.#byTurn.size - this.#fresh.size >= this.#limits.deliveredCapacity) return taken
      this.#fresh.delete(job)
      this.#deliveredSequence = job.sequence
      taken.push(this.#deliver(job))
    }
    return taken
  }

  /** Gives `give` the first jobs that come, once, in the order of those who wait. Returns the function that ends the wait. */
  wait(max: number, give: (jobs: Job[]) => void): () => void {
    const waiter = { max, give }
    this.#waiters.add(waiter)
    return () => this.#waiters.delete(waiter)
  }

  #serve(): void {
    for (const waiter of this.#waiters) {
      const jobs = this.take(waiter.max)
      if (jobs.length === 0) return
      this.#waiters.delete(waiter)
      waiter.give(jobs)
    }
  }

  #deliver(job: StoredJob): Job {
    const { pointer, sequence } = job
    job.deliveries += 1
    const { ackWaitMs } = this.#limits
    let settled = false
    this.#deliverAgainAfter(job, ackWaitMs)
    return {
      ...pointer,
      sequence,
      deliveries: job.deliveries,
      waiting: this.#fresh.size,
      working: () => {
        if (!settled && job.timer !== null) this.#deliverAgainAfter(job, ackWaitMs)
      },
      ack: () => {
        if (!settled) this.#remove(job)
        settled = true
      },
      nak: (delayMs) => {
        if (!settled && job.timer !== null) {
          if (delayMs > 0) this.#deliverAgainAfter(job, delayMs)
          else this.#deliverAgain(job)
        }
        settled = true
      },
    }
  }

  /** Also where the ack wait has ended, and even where another has the job by now: done is done. */
  #remove(job: StoredJob): void {
    if (this.#byTurn.get(job.turnId) !== job) return
    if (job.timer !== null) clearTimeout(job.timer)
    job.timer = null
    this.#again.delete(job)
    this.#byTurn.delete(job.turnId)
    // There is room now, where the lane was full of delivered jobs.
    this.#serve()
  }

  #deliverAgainAfter(job: StoredJob, delayMs: number): void {
    if (job.timer !== null) clearTimeout(job.timer)
    job.timer = setTimeout(() => this.#deliverAgain(job), Math.min(delayMs, longestTimeoutMs))
    // A job that nobody acks is no reason to keep a process alive.
    job.timer.unref()
  }

  #deliverAgain(job: StoredJob): void {
    if (job.timer !== null) clearTimeout(job.timer)
    job.timer = null
    this.#again.add(job)
    this.#serve()
  }
}
