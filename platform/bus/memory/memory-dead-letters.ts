import { BusError } from '../channel.ts'
import type { DeadLetter, DeadLetterLimits, DeadLetterPage, DeadLetters, StoredDeadLetter } from '../dead-letters.ts'
import { assertLiteralSubject } from '../subject.ts'

interface Kept {
  readonly letter: StoredDeadLetter
  /** Monotonic. */
  readonly until: number
}

/** What all clients of one bus share, in the order of addition. */
export interface DeadLetterStore {
  readonly limits: DeadLetterLimits
  readonly byTurn: Map<string, Kept>
  lastPosition: number
}

export class MemoryDeadLetters implements DeadLetters {
  readonly #store: DeadLetterStore
  readonly #isConnected: () => boolean
  #closed = false

  constructor(store: DeadLetterStore, isConnected: () => boolean) {
    this.#store = store
    this.#isConnected = isConnected
  }

  async add(letter: DeadLetter): Promise<void> {
    assertLiteralSubject(letter.turnId)
    const { byTurn, limits } = this.#kept()
    this.#store.lastPosition += 1
    byTurn.delete(letter.turnId)
    byTurn.set(letter.turnId, { letter: { ...letter, position: this.#store.lastPosition }, until: performance.now() + limits.maxAgeMs })
    if (byTurn.size > limits.capacity) byTurn.delete(byTurn.keys().next().value as string)
  }

  async list({ after = 0, limit }: { readonly after?: number; readonly limit: number }): Promise<DeadLetterPage> {
    const newer = [...this.#kept().byTurn.values()].map(({ letter }) => letter).filter(({ position }) => position > after)
    return { letters: newer.slice(0, limit), hasMore: newer.length > limit }
  }

  async get(turnId: string): Promise<StoredDeadLetter | null> {
    return this.#kept().byTurn.get(turnId)?.letter ?? null
  }

  async discard(turnId: string): Promise<boolean> {
    return this.#kept().byTurn.delete(turnId)
  }

  close(): Promise<void> {
    this.#closed = true
    return Promise.resolve()
  }

  /** Without those whose time is up. */
  #kept(): DeadLetterStore {
    if (this.#closed) throw new BusError('closed', 'the dead letters are closed')
    if (!this.#isConnected()) throw new BusError('disconnected', 'the bus is away')
    const now = performance.now()
    for (const [turnId, { until }] of this.#store.byTurn) {
      if (until > now) break
      this.#store.byTurn.delete(turnId)
    }
    return this.#store
  }
}
