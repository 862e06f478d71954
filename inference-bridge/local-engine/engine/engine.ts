import { Detokenizer } from './detokenizer.ts'
import type { EngineLoad, EngineMetrics } from './engine-metrics.ts'
import type { ModelRuntime, Sampling, Sequence } from './model-runtime.ts'
import type { Finish, GeneratedToken } from './generated-token.ts'
import { PoolFullError, sharedPrefix, SequencePool } from './sequence-pool.ts'

export interface GenerationRequest {
  /** At least one, and with `maxTokens` no more than the model's `maxModelLen`. */
  readonly promptIds: readonly number[]
  readonly maxTokens: number
  readonly sampling: Sampling
  /** End the reply besides the model's own end tokens. */
  readonly stopTokenIds: ReadonlySet<number>
}

/** Thrown when as many requests wait as may, or the engine is about to stop. The same request may succeed later. */
export class EngineBusyError extends Error {
  override readonly name = 'EngineBusyError'
}

/** Generates replies: as many at once as there are sequences, the others wait their turn. */
export class Engine {
  readonly #runtime: ModelRuntime
  readonly #pool: SequencePool
  readonly #metrics: EngineMetrics
  readonly #unfinished = new Set<Promise<unknown>>()
  #draining = false

  constructor(runtime: ModelRuntime, options: { readonly maxWaiting: number; readonly metrics: EngineMetrics }) {
    this.#runtime = runtime
    this.#pool = new SequencePool(runtime.sequences, options.maxWaiting)
    this.#metrics = options.metrics
    this.#metrics.observe(() => this.load)
  }

  get load(): EngineLoad {
    const { running, waiting } = this.#pool
    const held = running.reduce((sum, { cachedIds }) => sum + cachedIds.length, 0)
    return { running: running.length, waiting, cacheUsage: held / (this.#runtime.sequences.length * this.#runtime.maxModelLen) }
  }

  /**
   * Calls `onToken` for each token, the last of which carries the finish. Throws EngineBusyError at once when there is no
   * place in the queue. Rejects with EngineBusyError when the engine drains while the request waits, with the signal's
   * reason when that fires, and with the model's error.
   */
  generate(request: GenerationRequest, signal: AbortSignal, onToken: (token: GeneratedToken) => void): Promise<void> {
    if (this.#draining) throw new EngineBusyError('The engine is about to stop.')
    const arrivedAt = performance.now()
    let place: Promise<Sequence>
    try {
      place = this.#pool.acquire(request.promptIds, signal)
    } catch (error) {
      if (error instanceof PoolFullError) throw new EngineBusyError(error.message)
      throw error
    }
    const done = this.#run(request, signal, onToken, place, arrivedAt)
    this.#unfinished.add(done)
    const forget = () => this.#unfinished.delete(done)
    done.then(forget, forget)
    return done
  }

  /** Takes no more requests, sends those away that wait, and resolves when those that run have ended. */
  async drain(): Promise<void> {
    this.#draining = true
    this.#pool.rejectWaiting(new EngineBusyError('The engine is about to stop.'))
    await Promise.allSettled(this.#unfinished)
  }

  async #run(request: GenerationRequest, signal: AbortSignal, onToken: (token: GeneratedToken) => void, place: Promise<Sequence>, arrivedAt: number): Promise<void> {
    const sequence = await place
    const startedAt = performance.now()
    try {
      this.#metrics.started({ queueMs: startedAt - arrivedAt, promptTokens: request.promptIds.length, cachedTokens: this.#cachedTokens(sequence, request) })
      const finish = await this.#stream(sequence, request, signal, onToken, arrivedAt)
      this.#metrics.ended(finish.reason, performance.now() - arrivedAt)
    } catch (error) {
      this.#metrics.ended(signal.aborted ? 'abort' : 'error', performance.now() - arrivedAt)
      throw error
    } finally {
      this.#pool.release(sequence)
    }
  }

  async #stream(sequence: Sequence, request: GenerationRequest, signal: AbortSignal, onToken: (token: GeneratedToken) => void, arrivedAt: number): Promise<Finish> {
    const detokenizer = new Detokenizer(this.#runtime.vocabulary, request.promptIds)
    let count = 0
    let lastAt = arrivedAt
    for await (const id of sequence.generate(request.promptIds, request.sampling, signal)) {
      signal.throwIfAborted()
      const now = performance.now()
      this.#metrics.generated(count === 0 ? 'first' : 'later', now - lastAt)
      lastAt = now
      const finish = this.#finishOf(id, ++count, request)
      onToken({ id, text: finish?.reason === 'stop' ? '' : detokenizer.push(id), finish })
      if (finish !== null) return finish
    }
    signal.throwIfAborted()
    throw new Error('The model stopped without an end.')
  }

  #finishOf(id: number, count: number, request: GenerationRequest): Finish | null {
    if (request.stopTokenIds.has(id) || this.#runtime.isEndOfGeneration(id)) return { reason: 'stop', stopReason: id === this.#runtime.eosId ? null : id }
    return count >= request.maxTokens ? { reason: 'length', stopReason: null } : null
  }

  #cachedTokens(sequence: Sequence, request: GenerationRequest): number {
    return Math.min(sharedPrefix(sequence.cachedIds, request.promptIds), request.promptIds.length - 1)
  }
}
