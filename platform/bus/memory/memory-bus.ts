/**
 * The bus within one process. Everyone who shares an instance can talk to each other, each through a channel or queue of
 * its own; `disconnect` takes it away from all of them, as a server that is gone does.
 */
import type { BusStatus, Channel } from '../channel.ts'
import type { JobQueue } from '../job-queue.ts'
import { MemoryChannel, type ChannelHub } from './memory-channel.ts'
import { MemoryJobQueue, type JobStore, newJobStore } from './memory-job-queue.ts'

export interface MemoryBusOptions {
  /** Silence after which an unacked job is delivered again. */
  readonly ackWaitMs?: number
  /** Jobs a lane holds at most; publishing beyond rejects with BusError `too_big`. */
  readonly laneCapacity?: number
  readonly onHandlerError?: (error: unknown, subject: string) => void
}

export class MemoryBus {
  readonly #hub: ChannelHub
  readonly #jobs: JobStore
  readonly #channels = new Set<MemoryChannel>()
  readonly #queues = new Set<MemoryJobQueue>()

  constructor(options: MemoryBusOptions = {}) {
    this.#hub = { connected: true, subscribers: new Map(), onHandlerError: options.onHandlerError ?? (() => undefined) }
    this.#jobs = newJobStore({ ackWaitMs: options.ackWaitMs ?? 6_000, laneCapacity: options.laneCapacity ?? 100_000 })
  }

  channel(): Channel {
    const channel = new MemoryChannel(this.#hub)
    this.#channels.add(channel)
    return channel
  }

  jobQueue(): JobQueue {
    const queue = new MemoryJobQueue(this.#jobs, () => this.#hub.connected)
    this.#queues.add(queue)
    return queue
  }

  disconnect(): void {
    this.#setConnected(false)
  }

  reconnect(): void {
    this.#setConnected(true)
  }

  #setConnected(connected: boolean): void {
    if (this.#hub.connected === connected) return
    this.#hub.connected = connected
    const status: BusStatus = connected ? 'connected' : 'disconnected'
    for (const channel of this.#channels) channel.tellStatus(status)
    for (const queue of this.#queues) queue.connectionChanged()
  }
}
