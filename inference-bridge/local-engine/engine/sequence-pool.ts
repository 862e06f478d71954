import type { Sequence } from './model-runtime.ts'

/** Thrown by `acquire` when as many wait as may. */
export class PoolFullError extends Error {
  override readonly name = 'PoolFullError'
}

interface Waiter {
  readonly accept: (sequence: Sequence) => void
  readonly reject: (reason: Error) => void
}

/** Every chat begins alike: so few shared tokens are not worth the state of another conversation. */
const cacheBlock = 64

/** Hands out sequences. Who finds none free waits in a queue, first come, first served, of at most `maxWaiting`. */
export class SequencePool {
  readonly #sequences: readonly Sequence[]
  readonly #maxWaiting: number
  /** Least recently used first. */
  readonly #free: Sequence[]
  readonly #waiting = new Set<Waiter>()

  constructor(sequences: readonly Sequence[], maxWaiting: number) {
    this.#sequences = sequences
    this.#maxWaiting = maxWaiting
    this.#free = [...sequences]
  }

  get waiting(): number {
    return this.#waiting.size
  }

  get running(): readonly Sequence[] {
    return this.#sequences.filter((sequence) => !this.#free.includes(sequence))
  }

  /**
   * Of the free sequences, gives the one that holds most of the prompt already, or else the one unused for longest.
   * Throws PoolFullError; rejects with the signal's reason if that fires before a sequence is free. Whoever got one must
   * release it.
   */
  acquire(promptIds: readonly number[], signal: AbortSignal): Promise<Sequence> {
    signal.throwIfAborted()
    const best = this.#bestFree(promptIds)
    if (best !== undefined) {
      this.#free.splice(this.#free.indexOf(best), 1)
      return Promise.resolve(best)
    }
    if (this.#waiting.size >= this.#maxWaiting) throw new PoolFullError('Every sequence is in use and the queue is full.')
    return new Promise<Sequence>((resolve, reject) => {
      const abandon = () => {
        this.#waiting.delete(waiter)
        reject(signal.reason as Error)
      }
      const waiter: Waiter = {
        accept: (sequence) => {
          signal.removeEventListener('abort', abandon)
          resolve(sequence)
        },
        reject: (reason) => {
          signal.removeEventListener('abort', abandon)
          reject(reason)
        },
      }
      this.#waiting.add(waiter)
      signal.addEventListener('abort', abandon, { once: true })
    })
  }

  release(sequence: Sequence): void {
    const [next] = this.#waiting
    if (next === undefined) {
      this.#free.push(sequence)
      return
    }
    this.#waiting.delete(next)
    next.accept(sequence)
  }

  /** Sends all who wait away. Those who hold a sequence keep it. */
  rejectWaiting(reason: Error): void {
    const waiting = [...this.#waiting]
    this.#waiting.clear()
    for (const waiter of waiting) waiter.reject(reason)
  }

  #bestFree(promptIds: readonly number[]): Sequence | undefined {
    let best: Sequence | undefined
    let longest = -1
    for (const sequence of this.#free) {
      const shared = Math.floor(sharedPrefix(sequence.cachedIds, promptIds) / cacheBlock)
      if (shared > longest) [best, longest] = [sequence, shared]
    }
    return best
  }
}

/** How many tokens at the beginning of both are the same. */
export function sharedPrefix(a: readonly number[], b: readonly number[]): number {
  const end = Math.min(a.length, b.length)
  let length = 0
  while (length < end && a[length] === b[length]) length++
  return length
}
