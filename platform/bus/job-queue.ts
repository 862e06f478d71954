/**
 * JobQueue: a work queue, a stream a lane, as JetStream has it. A job is a pointer to a turn. While a turn's job is queued
 * or delivered and not acked, publishing it again on its lane changes nothing. Clients may come and go; but the bus holds
 * jobs in memory, and one that was away may come back without them. So whoever has unfinished turns publishes them anew then.
 */
export const lanes = ['premium', 'standard', 'batch'] as const
export type Lane = (typeof lanes)[number]

export interface JobPointer {
  readonly lane: Lane
  readonly turnId: string
  readonly conversationId: number
  /** The edge that had the conversation when the job was published: to be asked first. Absent where nobody knew. */
  readonly edge?: string
}

export interface PublishedJob {
  /** Position in the lane's stream, rising from 1. Of the earlier publication where `duplicate`; null where that cannot be told. */
  readonly sequence: number | null
  readonly duplicate: boolean
}

/**
 * A delivery of a job. Its ack counts even where the job has gone to another meanwhile; after ack or nak it has no more say.
 * What is said while the bus is away, or is on its way then, is lost: the job is delivered again.
 */
export interface Job extends JobPointer {
  readonly sequence: number
  /** 1 for the first delivery. */
  readonly deliveries: number
  /** Jobs of the lane that had not been delivered yet when this one was. */
  readonly waiting: number
  /** The job is still being worked on: begins its ack wait anew. */
  working(): void
  /** Done: the job leaves the queue, a moment later, and may be published again. */
  ack(): void
  /** Deliver it again, to anyone, after the delay. */
  nak(delayMs: number): void
}

export interface LaneDepth {
  /** Jobs not yet delivered. */
  readonly waiting: number
  /** Jobs delivered and not yet acked, those included that wait to be delivered again. */
  readonly delivered: number
  /** Of the newest job delivered: what a published one's is beyond it is that one's position. */
  readonly deliveredSequence: number
}

export interface JobQueueLimits {
  /** Silence after which a delivered job is delivered again. */
  readonly ackWaitMs: number
  /** Jobs that a lane holds; beyond, publish rejects with `full`. */
  readonly laneCapacity: number
  /** Jobs of a lane that are delivered and not acked; beyond, fetch gives nothing. Above what all bridges hold at once. */
  readonly deliveredCapacity: number
}

export const defaultJobQueueLimits: JobQueueLimits = { ackWaitMs: 4_000, laneCapacity: 100_000, deliveredCapacity: 20_000 }

export interface JobQueue {
  /** Resolves once the bus has the job. Rejects with BusError `disconnected`, `timeout`, `full` or `closed`. */
  publish(job: JobPointer): Promise<PublishedJob>
  /**
   * Takes up to `max` jobs of a lane, waiting up to `waitMs` for the first: those to be delivered again before new ones,
   * else in the order of their publication. An unacked job is delivered again after `ackWaitMs` of silence. Resolves with
   * an empty array when none came, `signal` aborted, or the bus went away meanwhile. Rejects with BusError `disconnected`
   * or `closed`.
   */
  fetch(lane: Lane, max: number, options: { readonly waitMs: number; readonly signal?: AbortSignal }): Promise<Job[]>
  /** Rejects with BusError `disconnected`, `timeout` or `closed`. */
  depth(lane: Lane): Promise<LaneDepth>
  readonly ackWaitMs: number
  /** Fetches under way resolve empty. Idempotent. Jobs in hand are delivered again, to others. */
  close(): Promise<void>
}
