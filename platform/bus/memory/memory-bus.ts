/**
 * The bus within one process. Everyone who shares an instance can talk to each other, each through a channel or queue of
 * its own; `disconnect` takes it away from all of them, as a server that is gone does. It keeps no process alive.
 */
import type { BusStatus, Channel } from '../channel.ts'
import { defaultDeadLetterLimits, type DeadLetterLimits, type DeadLetters } from '../dead-letters.ts'
import { defaultJobQueueLimits, lanes, type JobQueue, type JobQueueLimits } from '../job-queue.ts'
import { Deliveries } from './deliveries.ts'
import { MemoryChannel, type ChannelHub } from './memory-channel.ts'
import { MemoryDeadLetters, type DeadLetterStore } from './memory-dead-letters.ts'
import { MemoryJobQueue, type JobStore } from './memory-job-queue.ts'
import { MemoryLane } from './memory-lane.ts'

export interface MemoryBusOptions extends Partial<JobQueueLimits> {
  readonly deadLetters?: DeadLetterLimits
  /** A subscriber's handler threw, or a message was dropped because too many wait for their handlers. */
  readonly onHandlerError?: (error: unknown, subject: string) => void
}

export class MemoryBus {
  readonly #hub: ChannelHub
  readonly #jobs: JobStore
  readonly #deadLetters: DeadLetterStore
  readonly #channels = new Set<MemoryChannel>()
  readonly #queues = new Set<MemoryJobQueue>()

  constructor({ onHandlerError = () => undefined, deadLetters = defaultDeadLetterLimits, ...limits }: MemoryBusOptions = {}) {
    const all = { ...defaultJobQueueLimits, ...limits }
    this.#hub = { connected: true, subscribers: new Map(), deliveries: new Deliveries(), onHandlerError }
    this.#jobs = { ackWaitMs: all.ackWaitMs, lanes: new Map(lanes.map((lane) => [lane, new MemoryLane(lane, all)])) }
    this.#deadLetters = { limits: deadLetters, byTurn: new Map(), lastPosition: 0 }
  }

  channel(): Channel {
    const channel = new MemoryChannel(this.#hub, () => this.#channels.delete(channel))
    this.#channels.add(channel)
    return channel
  }

  jobQueue(): JobQueue {
    const queue = new MemoryJobQueue(this.#jobs, () => this.#hub.connected, () => this.#queues.delete(queue))
    this.#queues.add(queue)
    return queue
  }

  deadLetters(): DeadLetters {
    return new MemoryDeadLetters(this.#deadLetters, () => this.#hub.connected)
  }

  /** What is on its way is lost, as at a server that is killed; jobs are kept. */
  disconnect(): void {
    this.#hub.deliveries.drop()
    this.#setConnected(false)
  }

  reconnect(): void {
    this.#setConnected(true)
  }

  #setConnected(connected: boolean): void {
    if (this.#hub.connected === connected) return
    this.#hub.connected = connected
    const status: BusStatus = connected ? 'connected' : 'disconnected'
    for (const channel of [...this.#channels]) channel.tellStatus(status)
    for (const queue of [...this.#queues]) queue.connectionChanged()
  }
}
