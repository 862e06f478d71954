import { BusError } from '../channel.ts'
import { lanes, type Job, type JobPointer, type JobQueue, type Lane, type LaneDepth, type PublishedJob } from '../job-queue.ts'

interface StoredJob extends JobPointer {
  readonly sequence: number
  deliveries: number
  /** Waits to be delivered, for the first time or again. */
  waiting: boolean
  /** Delivers it again. */
  timer: NodeJS.Timeout | null
}

interface LaneStore {
  sequence: number
  deliveredSequence: number
  readonly byTurn: Map<string, StoredJob>
  waiting: StoredJob[]
}

/** What all queues of one bus share. */
export interface JobStore {
  readonly ackWaitMs: number
  readonly laneCapacity: number
  readonly lanes: ReadonlyMap<Lane, LaneStore>
  readonly fetchers: Set<() => void>
}

export function newJobStore(options: { readonly ackWaitMs: number; readonly laneCapacity: number }): JobStore {
  const empty = (): LaneStore => ({ sequence: 0, deliveredSequence: 0, byTurn: new Map(), waiting: [] })
  return { ...options, lanes: new Map(lanes.map((lane) => [lane, empty()])), fetchers: new Set() }
}

export class MemoryJobQueue implements JobQueue {
  readonly #store: JobStore
  readonly #isConnected: () => boolean
  readonly #closing = new AbortController()

  constructor(store: JobStore, isConnected: () => boolean) {
    this.#store = store
    this.#isConnected = isConnected
  }

  get ackWaitMs(): number {
    return this.#store.ackWaitMs
  }

  async publish(job: JobPointer): Promise<PublishedJob> {
    this.#check()
    const lane = this.#lane(job.lane)
    const known = lane.byTurn.get(job.turnId)
    if (known !== undefined) return { sequence: known.sequence, duplicate: true }
    if (lane.byTurn.size >= this.#store.laneCapacity) throw new BusError('too_big', `lane ${job.lane} holds ${lane.byTurn.size} jobs, and no more fit`)
    lane.sequence += 1
    const stored: StoredJob = { lane: job.lane, turnId: job.turnId, conversationId: job.conversationId, sequence: lane.sequence, deliveries: 0, waiting: true, timer: null }
    lane.byTurn.set(job.turnId, stored)
    lane.waiting.push(stored)
    this.#wake()
    return { sequence: stored.sequence, duplicate: false }
  }

  async fetch(laneName: Lane, max: number, { waitMs, signal }: { readonly waitMs: number; readonly signal?: AbortSignal }): Promise<Job[]> {
    this.#check()
    const lane = this.#lane(laneName)
    if (max > 0 && lane.waiting.length === 0) await this.#arrival(lane, waitMs, signal)
    if (this.#closing.signal.aborted || signal?.aborted === true || !this.#isConnected()) return []
    return lane.waiting.splice(0, max).map((stored) => this.#deliver(lane, stored))
  }

  async depth(laneName: Lane): Promise<LaneDepth> {
    this.#check()
    const lane = this.#lane(laneName)
    return { waiting: lane.waiting.length, delivered: lane.byTurn.size - lane.waiting.length, lastSequence: lane.sequence, deliveredSequence: lane.deliveredSequence }
  }

  async close(): Promise<void> {
    this.#closing.abort()
  }

  connectionChanged(): void {
    this.#wake()
  }

  #check(): void {
    if (this.#closing.signal.aborted) throw new BusError('closed', 'the job queue is closed')
    if (!this.#isConnected()) throw new BusError('disconnected', 'the bus is away')
  }

  #lane(name: Lane): LaneStore {
    return this.#store.lanes.get(name) as LaneStore
  }

  #wake(): void {
    for (const fetcher of [...this.#store.fetchers]) fetcher()
  }

  /** Resolves when the lane has a job, the time is up, the bus is gone or nobody wants it any more. */
  async #arrival(lane: LaneStore, waitMs: number, signal: AbortSignal | undefined): Promise<void> {
    await new Promise<void>((resolve) => {
      const { fetchers } = this.#store
      const closing = this.#closing.signal
      const done = (): void => {
        clearTimeout(timer)
        fetchers.delete(look)
        signal?.removeEventListener('abort', done)
        closing.removeEventListener('abort', done)
        resolve()
      }
      const look = (): void => {
        if (lane.waiting.length > 0 || !this.#isConnected()) done()
      }
      const timer = setTimeout(done, waitMs)
      fetchers.add(look)
      signal?.addEventListener('abort', done, { once: true })
      closing.addEventListener('abort', done, { once: true })
      if (signal?.aborted === true || closing.aborted) done()
    })
  }

  #deliver(lane: LaneStore, stored: StoredJob): Job {
    stored.deliveries += 1
    stored.waiting = false
    lane.deliveredSequence = Math.max(lane.deliveredSequence, stored.sequence)
    const delivery = stored.deliveries
    const current = (): boolean => stored.deliveries === delivery && lane.byTurn.get(stored.turnId) === stored && !stored.waiting
    const redeliverAfter = (delayMs: number): void => {
      if (stored.timer !== null) clearTimeout(stored.timer)
      stored.timer = setTimeout(() => {
        stored.timer = null
        stored.waiting = true
        lane.waiting.unshift(stored)
        this.#wake()
      }, delayMs)
      // A job that nobody acks is no reason to keep a process alive.
      stored.timer.unref()
    }
    redeliverAfter(this.#store.ackWaitMs)
    return {
      lane: stored.lane,
      turnId: stored.turnId,
      conversationId: stored.conversationId,
      sequence: stored.sequence,
      deliveries: delivery,
      working: () => {
        if (current() && this.#isConnected()) redeliverAfter(this.#store.ackWaitMs)
      },
      ack: async () => {
        this.#check()
        if (!current()) return
        if (stored.timer !== null) clearTimeout(stored.timer)
        lane.byTurn.delete(stored.turnId)
      },
      nak: (delayMs) => {
        if (current() && this.#isConnected()) redeliverAfter(delayMs)
      },
    }
  }
}
