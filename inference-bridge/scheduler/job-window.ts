/**
 * Jobs pulled and not yet begun, and the order in which they are: lanes by weight, and within a lane the user first who
 * has the fewest turns running here. A job names no user, but the bucket in its conversation's id stands for one, as all
 * conversations of a user share it.
 */
import { bucketOfId } from '../../protocol/ids.ts'
import type { Job, Lane } from '../../platform/bus/job-queue.ts'
import { LaneOrder } from './lane-order.ts'

export class JobWindow {
  readonly #order = new LaneOrder()
  readonly #waiting: Record<Lane, Job[]> = { premium: [], standard: [], batch: [] }
  readonly #running = new Map<number, number>()

  get size(): number {
    return this.#waiting.premium.length + this.#waiting.standard.length + this.#waiting.batch.length
  }

  add(job: Job): void {
    this.#waiting[job.lane].push(job)
  }

  /** The next job, which counts as running until `ended`. Of equals the one that came first. */
  take(): Job | null {
    const lane = this.#order.next((candidate) => this.#waiting[candidate].length > 0)
    if (lane === null) return null
    const waiting = this.#waiting[lane]
    let best = 0
    for (const [index, job] of waiting.entries()) if (this.#runningOf(job) < this.#runningOf(waiting[best] as Job)) best = index
    const [job] = waiting.splice(best, 1)
    if (job === undefined) return null
    this.#running.set(bucketOfId(job.conversationId), this.#runningOf(job) + 1)
    return job
  }

  ended(job: Job): void {
    const running = this.#runningOf(job) - 1
    if (running > 0) this.#running.set(bucketOfId(job.conversationId), running)
    else this.#running.delete(bucketOfId(job.conversationId))
  }

  /** Takes all out that have not begun. */
  clear(): Job[] {
    const jobs = Object.values(this.#waiting).flat()
    for (const waiting of Object.values(this.#waiting)) waiting.length = 0
    return jobs
  }

  #runningOf(job: Job): number {
    return this.#running.get(bucketOfId(job.conversationId)) ?? 0
  }
}
