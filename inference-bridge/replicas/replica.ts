/** One engine: what it serves, how busy this bridge keeps it, and whether it can be trusted with a request. */
import type { EngineClient, ServedModel } from '../vllm/client.ts'
import type { EngineFailure } from '../vllm/failure.ts'
import type { CircuitBreaker } from '../../platform/circuit-breaker.ts'

export class Replica {
  /** Host and port, for logs and metrics. */
  readonly name: string
  readonly client: EngineClient
  readonly breaker: CircuitBreaker
  #inFlight = 0
  #models: readonly ServedModel[] = []
  #healthy = false
  #failedProbes = 0

  constructor(name: string, client: EngineClient, breaker: CircuitBreaker) {
    this.name = name
    this.client = client
    this.breaker = breaker
  }

  /** Requests of this bridge under way. */
  get inFlight(): number {
    return this.#inFlight
  }

  /** Whether it answered lately. It says nothing of load: an engine that drains answers too. */
  get healthy(): boolean {
    return this.#healthy
  }

  /** As last heard, also while it is not healthy. */
  get models(): readonly ServedModel[] {
    return this.#models
  }

  serves(model: string): ServedModel | undefined {
    return this.#models.find(({ id }) => id === model)
  }

  /** Takes a request: call the result exactly once, with the failure, or null for success, or `left` where it was broken off. */
  acquire(): (outcome: EngineFailure | null | 'left') => void {
    this.#inFlight += 1
    const tries = this.breaker.began()
    return (outcome) => {
      this.#inFlight -= 1
      if (outcome === 'left') this.breaker.left(tries)
      // A refusal shows that the engine works.
      else if (outcome === null || !outcome.retryable) this.breaker.succeeded()
      else this.breaker.failed(tries)
    }
  }

  probed(models: readonly ServedModel[]): void {
    this.#models = models
    this.#failedProbes = 0
    this.#healthy = models.length > 0
  }

  /** One lost answer is no death. */
  probeFailed(): void {
    this.#failedProbes += 1
    if (this.#failedProbes >= 2) this.#healthy = false
  }
}
