/**
 * The jobs of one lane that the queue has not stored yet, published in the order in which they came, some at a time.
 * While the queue refuses, only one is tried now and then, so that an outage brings no flood of attempts, nor of log lines.
 */
import { BusError } from '../../platform/bus/channel.ts'
import type { JobPointer, JobQueue, PublishedJob } from '../../platform/bus/job-queue.ts'
import type { Logger } from '../../platform/logging/logger.ts'

/** Enough to keep a server across a network busy, and little enough to take nothing from the turns of now. */
const mostInFlight = 128

export interface JobBacklogOptions {
  readonly queue: Pick<JobQueue, 'publish'>
  readonly logger: Logger
  readonly onStored: (job: JobPointer, published: PublishedJob) => void
}

export class JobBacklog {
  readonly #options: JobBacklogOptions
  readonly #waiting = new Map<string, JobPointer>()
  /** Tried in vain: they go before those that wait. */
  #failed = new Map<string, JobPointer>()
  /** By turn; false: nobody wants it published any more. */
  readonly #inFlight = new Map<string, boolean>()
  #refused = false
  /** The attempt under way may have begun before the queue took jobs again. */
  #tryAgain = false

  constructor(options: JobBacklogOptions) {
    this.#options = options
  }

  get size(): number {
    return this.#waiting.size + this.#failed.size + this.#inFlight.size
  }

  add(job: JobPointer): void {
    if (this.#inFlight.has(job.turnId)) this.#inFlight.set(job.turnId, true)
    else if (!this.#failed.has(job.turnId)) this.#waiting.set(job.turnId, job)
    if (!this.#refused) this.#publishMore()
  }

  remove(turnId: string): void {
    this.#waiting.delete(turnId)
    this.#failed.delete(turnId)
    if (this.#inFlight.has(turnId)) this.#inFlight.set(turnId, false)
  }

  /** The queue may take jobs again. */
  retry(): void {
    this.#tryAgain = this.#refused && this.#inFlight.size > 0
    this.#publishMore()
  }

  #publishMore(): void {
    while (this.#inFlight.size < (this.#refused ? 1 : mostInFlight)) {
      const job = this.#next()
      if (job === undefined) return
      void this.#publish(job)
    }
  }

  #next(): JobPointer | undefined {
    for (const jobs of [this.#failed, this.#waiting]) {
      for (const [turnId, job] of jobs) {
        jobs.delete(turnId)
        return job
      }
    }
    return undefined
  }

  async #publish(job: JobPointer): Promise<void> {
    const { queue, logger, onStored } = this.#options
    const alone = this.#refused
    this.#inFlight.set(job.turnId, true)
    try {
      const published = await queue.publish(job)
      if (this.#refused) logger.info({ lane: job.lane, jobs: this.size }, 'jobs are published again')
      this.#refused = false
      onStored(job, published)
    } catch (error) {
      this.#failedWith(error, job, alone)
    } finally {
      this.#inFlight.delete(job.turnId)
    }
    if (this.#refused && !this.#tryAgain) return
    this.#tryAgain = false
    this.#publishMore()
  }

  #failedWith(error: unknown, job: JobPointer, alone: boolean): void {
    const { logger } = this.#options
    if (!(error instanceof BusError)) {
      // Of this job, not of the queue: others must not wait behind it.
      logger.error({ err: error, turn: job.turnId }, 'a job cannot be published')
      return
    }
    const wanted = this.#inFlight.get(job.turnId) === true
    // One that was tried alone was the first of them, and is again.
    if (wanted) this.#failed = new Map(alone ? [[job.turnId, job], ...this.#failed] : [...this.#failed, [job.turnId, job]])
    if (!this.#refused) logger.warn({ err: error, lane: job.lane }, 'jobs are not published yet')
    this.#refused = true
  }
}
