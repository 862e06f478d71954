/** The inference bridge: takes turns' jobs from the queue and has engines write their replies. Its only door. */
import type { Channel } from '../platform/bus/channel.ts'
import type { JobQueue } from '../platform/bus/job-queue.ts'
import type { Cache } from '../platform/cache/cache.ts'
import { Refusals } from '../platform/bus/refusals.ts'
import type { Clock } from '../platform/clock.ts'
import type { Service } from '../platform/lifecycle/service.ts'
import type { Logger } from '../platform/logging/logger.ts'
import type { Metrics } from '../platform/metrics/metrics.ts'
import { noTracer, type Tracer } from '../platform/tracing/tracer.ts'
import { declareBridgeMetrics } from './bridge-metrics.ts'
import { TokenCounts } from './context/token-counts.ts'
import { DeltaPublisher } from './delivery/delta-publisher.ts'
import { ModelsEndpoint } from './models-endpoint.ts'
import { ReplicaSet } from './replicas/replica-set.ts'
import { ResultCache } from './results/result-cache.ts'
import { RunRegistry } from './runs/run-registry.ts'
import { TurnWorker } from './runs/turn-worker.ts'
import { Scheduler } from './scheduler/scheduler.ts'
import { defaultTiming, type BridgeTiming, type GenerationDefaults } from './settings.ts'
import type { EngineEndpoint } from './vllm/client.ts'

export interface BridgeOptions {
  /** Unique among bridges; part of a bus subject. */
  readonly name: string
  readonly channel: Channel
  readonly jobQueue: JobQueue
  readonly engines: readonly EngineEndpoint[]
  /** Turns that may generate at once, over all engines. */
  readonly concurrency: number
  readonly logger: Logger
  readonly metrics: Metrics
  readonly clock: Clock
  readonly defaults: GenerationDefaults
  /** Where replies at temperature 0 are kept, and how long; absent: nowhere. */
  readonly results?: { readonly cache: Cache; readonly ttlMs: number } | null
  readonly timing?: Partial<BridgeTiming>
  /** Of runs; none where absent. */
  readonly tracer?: Tracer
}

export interface Bridge extends Service {
  /** Takes no new jobs. Resolves when those in hand are done, which may take as long as a turn or as the bus is away: then `stop`. */
  drain(): Promise<void>
  /** Hands over what is in hand: the jobs go back to the queue, and whoever takes them goes on from what was sent. */
  stop(): Promise<void>
  /** At least one engine is healthy. */
  readonly ready: boolean
  /** Returns the function that stops it. */
  onReadyChange(listener: (ready: boolean) => void): () => void
}

/** Counts of tokens kept, a hundred bytes each. */
const keptTokenCounts = 50_000

export function createBridge(options: BridgeOptions): Bridge {
  return new InferenceBridge(options)
}

class InferenceBridge implements Bridge {
  readonly name: string
  readonly #channel: Channel
  readonly #replicas: ReplicaSet
  readonly #registry: RunRegistry
  readonly #models: ModelsEndpoint
  readonly #worker: TurnWorker
  readonly #scheduler: Scheduler
  #starting: Promise<void> | undefined
  #draining: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor({ name, channel, jobQueue, engines, concurrency, logger, metrics, clock, defaults, results = null, tracer = noTracer, ...options }: BridgeOptions) {
    const timing = { ...defaultTiming, ...options.timing }
    this.name = name
    this.#channel = channel
    this.#replicas = new ReplicaSet({ engines, timing, clock, logger })
    const refusals = new Refusals({ logger, monotonic: () => clock.monotonic() })
    this.#registry = new RunRegistry(refusals)
    this.#models = new ModelsEndpoint(this.#replicas, refusals)
    const bridgeMetrics = declareBridgeMetrics(metrics, { replicas: this.#replicas, keptRuns: () => this.#registry.size, waitingJobs: () => this.#scheduler.waiting })
    const publisher = new DeltaPublisher({ bridge: name, channel, clock, flushMs: timing.deltaFlushMs, beatMs: timing.beatMs, onBatch: (items, bytes, dropped) => bridgeMetrics.deltaBatch(items, bytes, dropped) })
    const counts = new TokenCounts({ keptMessages: keptTokenCounts })
    this.#worker = new TurnWorker({ bridge: name, channel, replicas: this.#replicas, counts, publisher, results: results === null ? null : new ResultCache(results), defaults, timing, clock, logger, metrics: bridgeMetrics, tracer }, this.#registry)
    this.#scheduler = new Scheduler({
      jobQueue,
      slots: concurrency,
      fetchWaitMs: timing.fetchWaitMs,
      retry: timing.busRetry,
      logger,
      work: (job, progress) => this.#worker.work(job, progress),
    })
  }

  get ready(): boolean {
    return this.#replicas.ready
  }

  onReadyChange(listener: (ready: boolean) => void): () => void {
    return this.#replicas.onReadyChange(listener)
  }

  /** Resolves once every engine was asked whether it is there; one that is not is asked again and again. */
  start(): Promise<void> {
    this.#starting ??= this.#stopping === undefined ? this.#start() : Promise.resolve()
    return this.#starting
  }

  drain(): Promise<void> {
    this.#draining ??= this.#scheduler.drain()
    return this.#draining
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop()
    return this.#stopping
  }

  async #start(): Promise<void> {
    this.#registry.listen(this.#channel, this.name)
    this.#replicas.onReadyChange((ready) => this.#scheduler.setActive(ready))
    await this.#replicas.start()
    this.#models.listen(this.#channel, this.name)
  }

  async #stop(): Promise<void> {
    const drained = this.drain()
    this.#models.close()
    this.#worker.stop()
    await drained
    this.#registry.close()
    await this.#replicas.stop()
  }
}
