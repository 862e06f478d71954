/**
 * Pulls jobs as there is room for them, and begins them in order. The backlog stays in the queue, where it survives this
 * process: pulled are the free slots and a window of a quarter, which keeps the slots full while more are fetched, and
 * within which users are treated alike.
 *
 * A slot is taken from the begin of a job until its engine is done. A job is beaten (`working`) from when it is pulled
 * until it is disposed of, by a timer of its own that no generation can hold up.
 */
import { lanes, type Job, type JobQueue, type Lane } from '../../platform/bus/job-queue.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import { backoffMs, pause, type RetrySettings } from '../runs/backoff.ts'
import { JobWindow } from './job-window.ts'
import { LaneOrder, laneWeights } from './lane-order.ts'

export interface SchedulerOptions {
  readonly jobQueue: JobQueue
  /** Runs that may generate at once. */
  readonly slots: number
  readonly fetchWaitMs: number
  readonly retry: RetrySettings
  readonly logger: Logger
  /** Works off a job, and disposes of it; resolves then. `generated` is called where its engine is done before. */
  readonly work: (job: Job, progress: { generated(): void }) => Promise<void>
}

/** Jobs beaten in the time of one ack wait: two beats may be lost. */
const beatsPerAckWait = 3
/** Jobs in hand, those included whose finish waits for their owner, to each slot: with more, nothing is pulled. */
const keptPerSlot = 4
const releaseDelayMs = 1000

interface LanePoll {
  /** Jobs asked for, while a fetch is under way. */
  asked: number
  /** Jobs that the last fetch left in the lane, as far as it could tell. */
  left: number
  failures: number
}

export class Scheduler {
  readonly #options: SchedulerOptions
  readonly #window = new JobWindow()
  readonly #pullOrder = new LaneOrder()
  readonly #windowSize: number
  readonly #held = new Set<Job>()
  readonly #working = new Set<Promise<void>>()
  readonly #polls: Record<Lane, LanePoll> = { premium: { asked: 0, left: 0, failures: 0 }, standard: { asked: 0, left: 0, failures: 0 }, batch: { asked: 0, left: 0, failures: 0 } }
  readonly #polling = new Set<Promise<void>>()
  readonly #closing = new AbortController()
  #slotsTaken = 0
  #inHand = 0
  #active = false
  #beatTimer: NodeJS.Timeout | undefined

  constructor(options: SchedulerOptions) {
    this.#options = options
    // A lane that is empty is waited on with room for one job, which is not to be at the cost of the others.
    this.#windowSize = Math.ceil(options.slots / 4) + lanes.length - 1
  }

  /** Jobs pulled and not yet begun. */
  get waiting(): number {
    return this.#window.size
  }

  /** Jobs begun and not disposed of. */
  get inHand(): number {
    return this.#inHand
  }

  /** Pulls while active. Inactive, what has not begun goes back, for a bridge that can. */
  setActive(active: boolean): void {
    if (this.#closing.signal.aborted) return
    this.#active = active
    if (active) {
      this.#beatTimer ??= setInterval(() => this.#beat(), this.#options.jobQueue.ackWaitMs / beatsPerAckWait)
      this.#advance()
    } else {
      this.#release(releaseDelayMs)
    }
  }

  /** Pulls nothing more. Resolves when all jobs in hand are disposed of. */
  async drain(): Promise<void> {
    this.#closing.abort()
    this.#active = false
    this.#release(0)
    await Promise.all(this.#polling)
    while (this.#working.size > 0) await Promise.all(this.#working)
    clearInterval(this.#beatTimer)
    this.#beatTimer = undefined
  }

  #advance(): void {
    if (!this.#active) return
    while (this.#slotsTaken < this.#options.slots && this.#inHand < this.#options.slots * keptPerSlot) {
      const job = this.#window.take()
      if (job === null) break
      this.#begin(job)
    }
    this.#pull()
  }

  #begin(job: Job): void {
    let generating = true
    this.#slotsTaken += 1
    this.#inHand += 1
    const generated = (): void => {
      if (!generating) return
      generating = false
      this.#slotsTaken -= 1
      this.#window.ended(job)
    }
    const work = this.#options
      .work(job, {
        generated: () => {
          generated()
          this.#advance()
        },
      })
      .catch((error: unknown) => {
        this.#options.logger.error({ err: error, turnId: job.turnId }, 'job failed')
        job.nak(releaseDelayMs)
      })
      .finally(() => {
        generated()
        this.#inHand -= 1
        this.#held.delete(job)
        this.#working.delete(work)
        this.#advance()
      })
    this.#working.add(work)
  }

  /**
   * Every lane is waited on at all times while there is room: for one job where it was empty, and beyond for what was left
   * in it, up to its share of the room. So a fetch mostly gets all that it asked for, and ends with it. Where there is not room for all, they take turns by weight.
   */
  #pull(): void {
    const idle = new Set(lanes.filter((lane) => this.#polls[lane].asked === 0))
    const asked = lanes.reduce((sum, lane) => sum + this.#polls[lane].asked, 0)
    let room = this.#options.slots + this.#windowSize - this.#slotsTaken - this.#window.size - asked
    if (this.#inHand >= this.#options.slots * keptPerSlot) return
    let spare = room - idle.size
    let weight = [...idle].reduce((sum, lane) => sum + (this.#polls[lane].left > 0 ? laneWeights[lane] : 0), 0)
    while (room > 0) {
      const lane = this.#pullOrder.next((candidate) => idle.has(candidate))
      if (lane === null) return
      idle.delete(lane)
      let max = 1
      const { left } = this.#polls[lane]
      if (left > 0 && spare > 0) {
        const share = Math.min(left, Math.ceil((spare * laneWeights[lane]) / weight))
        weight -= laneWeights[lane]
        spare -= share
        max += share
      }
      room -= max
      this.#poll(lane, max)
    }
  }

  #poll(lane: Lane, max: number): void {
    this.#polls[lane].asked = max
    const polling = this.#fetch(lane, max).finally(() => {
      this.#polls[lane].asked = 0
      this.#polling.delete(polling)
      this.#advance()
    })
    this.#polling.add(polling)
  }

  async #fetch(lane: Lane, max: number): Promise<void> {
    const { jobQueue, fetchWaitMs, retry, logger } = this.#options
    const { signal } = this.#closing
    const poll = this.#polls[lane]
    try {
      const jobs = await jobQueue.fetch(lane, max, { waitMs: fetchWaitMs, signal })
      poll.left = jobs.at(-1)?.waiting ?? 0
      poll.failures = 0
      for (const job of jobs) {
        if (!this.#active) {
          job.nak(signal.aborted ? 0 : releaseDelayMs)
          continue
        }
        this.#held.add(job)
        this.#window.add(job)
      }
    } catch (error) {
      poll.left = 0
      poll.failures += 1
      if (signal.aborted) return
      if (poll.failures === 1) logger.warn({ err: error, lane }, 'cannot fetch jobs')
      await pause(backoffMs(poll.failures, retry), signal)
    }
  }

  #release(delayMs: number): void {
    for (const job of this.#window.clear()) {
      this.#held.delete(job)
      job.nak(delayMs)
    }
  }

  #beat(): void {
    for (const job of this.#held) job.working()
  }
}
