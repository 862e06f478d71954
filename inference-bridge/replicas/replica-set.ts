/** All engines of a bridge: asks each regularly what it serves, and chooses one for a request. */
import type { Clock } from '../../platform/clock.ts'
import type { Logger } from '../../platform/logging/logger.ts'
import type { Service } from '../../platform/lifecycle/service.ts'
import { EngineClient, type EngineEndpoint, type ServedModel } from '../vllm/client.ts'
import type { StreamDeadlines } from '../vllm/engine-stream.ts'
import { CircuitBreaker, type BreakerSettings } from '../../platform/circuit-breaker.ts'
import { Replica } from './replica.ts'

export interface ReplicaSetTiming extends StreamDeadlines {
  /** For calls that are no streams. */
  readonly engineCallMs: number
  readonly probeIntervalMs: number
  readonly breaker: BreakerSettings
}

export interface ReplicaSetOptions {
  readonly engines: readonly EngineEndpoint[]
  readonly timing: ReplicaSetTiming
  readonly clock: Clock
  readonly logger: Logger
}

export interface ChosenReplica {
  readonly replica: Replica
  readonly served: ServedModel
}

export class ReplicaSet implements Service {
  readonly name = 'replicas'
  readonly replicas: readonly Replica[]
  readonly #probeIntervalMs: number
  readonly #logger: Logger
  readonly #stop = new AbortController()
  readonly #timers = new Map<Replica, NodeJS.Timeout>()
  readonly #listeners = new Set<(ready: boolean) => void>()
  #ready = false
  /** Where the search begins, so that equals take turns. */
  #next = 0
  #starting: Promise<void> | undefined
  #stopping: Promise<void> | undefined

  constructor({ engines, timing, clock, logger }: ReplicaSetOptions) {
    this.#probeIntervalMs = timing.probeIntervalMs
    this.#logger = logger
    this.replicas = engines.map((endpoint) => {
      const client = new EngineClient(endpoint, { ...timing, jsonTimeoutMs: timing.engineCallMs })
      return new Replica(new URL(endpoint.url).host, client, new CircuitBreaker(timing.breaker, () => clock.monotonic()))
    })
  }

  /** At least one replica is healthy. */
  get ready(): boolean {
    return this.#ready
  }

  onReadyChange(listener: (ready: boolean) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** The first model of the first engine that has told its models. */
  get defaultModel(): string | null {
    for (const { models } of this.replicas) if (models[0] !== undefined) return models[0].id
    return null
  }

  /** Whether this model may be had: some replica has told that it serves it, be it healthy now or not, or has yet to tell. */
  knows(model: string): boolean {
    return this.replicas.some((replica) => replica.models.length === 0 || replica.serves(model) !== undefined)
  }

  /** The least busy replica that serves the model and may be asked; not `avoid` unless there is no other. */
  choose(model: string, avoid: Replica | null = null): ChosenReplica | null {
    let best: ChosenReplica | null = null
    const count = this.replicas.length
    for (let step = 0; step < count; step++) {
      const replica = this.replicas[(this.#next + step) % count] as Replica
      const served = replica.serves(model)
      if (served === undefined || !replica.healthy || !replica.breaker.allows) continue
      const better = best === null || (best.replica === avoid) || (replica !== avoid && replica.inFlight < best.replica.inFlight)
      if (better) best = { replica, served }
    }
    this.#next = (this.#next + 1) % Math.max(1, count)
    return best
  }

  /** Resolves once every engine has been asked; they need not have answered. */
  start(): Promise<void> {
    this.#starting ??= Promise.all(this.replicas.map((replica) => this.#probe(replica))).then(() => undefined)
    return this.#starting
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#close()
    return this.#stopping
  }

  async #close(): Promise<void> {
    this.#stop.abort()
    for (const timer of this.#timers.values()) clearTimeout(timer)
    await this.#starting
    for (const { client } of this.replicas) client.close()
    this.#listeners.clear()
  }

  async #probe(replica: Replica): Promise<void> {
    const wasHealthy = replica.healthy
    try {
      replica.probed(await replica.client.models(this.#stop.signal))
      if (!wasHealthy) this.#logger.info({ replica: replica.name, models: replica.models.map(({ id }) => id) }, 'replica is healthy')
    } catch (error) {
      if (this.#stop.signal.aborted) return
      replica.probeFailed()
      if (wasHealthy && !replica.healthy) this.#logger.warn({ replica: replica.name, reason: error instanceof Error ? error.message : String(error) }, 'replica does not answer')
    }
    this.#refresh()
    if (this.#stop.signal.aborted) return
    this.#timers.set(replica, setTimeout(() => void this.#probe(replica), this.#probeIntervalMs))
  }

  #refresh(): void {
    const ready = this.replicas.some(({ healthy }) => healthy)
    if (ready === this.#ready) return
    this.#ready = ready
    for (const listener of this.#listeners) listener(ready)
  }
}
