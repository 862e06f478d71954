import { BusError } from '../channel.ts'
import type { Job, JobPointer, JobQueue, Lane, LaneDepth, PublishedJob } from '../job-queue.ts'
import { assertLiteralSubject } from '../subject.ts'
import type { MemoryLane } from './memory-lane.ts'

/** What all queues of one bus share. */
export interface JobStore {
  readonly ackWaitMs: number
  readonly lanes: ReadonlyMap<Lane, MemoryLane>
}

export class MemoryJobQueue implements JobQueue {
  readonly #store: JobStore
  readonly #isConnected: () => boolean
  readonly #onClosed: () => void
  /** End the fetches under way. */
  readonly #ends = new Set<() => void>()
  #closed = false

  constructor(store: JobStore, isConnected: () => boolean, onClosed: () => void) {
    this.#store = store
    this.#isConnected = isConnected
    this.#onClosed = onClosed
  }

  get ackWaitMs(): number {
    return this.#store.ackWaitMs
  }

  async publish(job: JobPointer): Promise<PublishedJob> {
    this.#check()
    assertLiteralSubject(job.turnId)
    return this.#lane(job.lane).publish(job)
  }

  async fetch(laneName: Lane, max: number, { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal }): Promise<Job[]> {
    this.#check()
    if (max < 1 || signal?.aborted === true) return []
    const lane = this.#lane(laneName)
    const taken = lane.take(max)
    const jobs = taken.length > 0 || waitMs <= 0 ? taken : await this.#first(lane, max, waitMs, signal)
    return jobs.map((delivery) => this.#job(delivery))
  }

  async depth(lane: Lane): Promise<LaneDepth> {
    this.#check()
    return this.#lane(lane).depth()
  }

  close(): Promise<void> {
    this.#closed = true
    this.#onClosed()
    this.connectionChanged()
    return Promise.resolve()
  }

  /** A fetch that waits does so no longer: at a server, too, it would be forgotten. */
  connectionChanged(): void {
    for (const end of [...this.#ends]) end()
  }

  #check(): void {
    if (this.#closed) throw new BusError('closed', 'the job queue is closed')
    if (!this.#isConnected()) throw new BusError('disconnected', 'the bus is away')
  }

  #lane(name: Lane): MemoryLane {
    return this.#store.lanes.get(name) as MemoryLane
  }

  #first(lane: MemoryLane, max: number, waitMs: number, signal: AbortSignal | undefined): Promise<Job[]> {
    return new Promise((resolve) => {
      const done = (jobs: Job[]): void => {
        clearTimeout(timer)
        stopWaiting()
        this.#ends.delete(end)
        signal?.removeEventListener('abort', end)
        resolve(jobs)
      }
      const end = (): void => done([])
      const timer = setTimeout(end, waitMs)
      const stopWaiting = lane.wait(max, done)
      this.#ends.add(end)
      signal?.addEventListener('abort', end, { once: true })
    })
  }

  /** What is said while the bus is away is lost, and so the job is delivered again. */
  #job(delivery: Job): Job {
    const isAway = (): boolean => this.#closed || !this.#isConnected()
    return {
      ...delivery,
      working: () => {
        if (!isAway()) delivery.working()
      },
      ack: () => {
        if (!isAway()) delivery.ack()
      },
      nak: (delayMs) => {
        if (!isAway()) delivery.nak(delayMs)
      },
    }
  }
}
