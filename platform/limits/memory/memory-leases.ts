/** Leases of a process that has no others beside it. */
import type { LeaseRequest, Leases, LeaseVerdict } from '../leases.ts'

export interface MemoryLeasesOptions {
  readonly monotonic: () => number
  /** Leases at a time, 100,000 where absent: those beyond are allowed and not counted. */
  readonly most?: number
}

interface Held {
  readonly keys: readonly string[]
  readonly note: string
  readonly endsAt: number
}

const defaultMost = 100_000
/** Between looks for leases that have ended by themselves. */
const sweepMs = 10_000

export class MemoryLeases implements Leases {
  readonly #monotonic: () => number
  readonly #most: number
  readonly #held = new Map<string, Held>()
  readonly #ofKey = new Map<string, Set<string>>()
  #sweptAt = 0

  constructor({ monotonic, most = defaultMost }: MemoryLeasesOptions) {
    this.#monotonic = monotonic
    this.#most = most
  }

  take({ id, holders, forMs, note }: LeaseRequest): Promise<LeaseVerdict> {
    const now = this.#monotonic()
    if (now - this.#sweptAt >= sweepMs) {
      this.#sweptAt = now
      this.#dropEnded(this.#held.keys(), now)
    }
    this.#dropEnded([id], now)
    if (this.#held.has(id)) return Promise.resolve({ allowed: true, isNew: false })
    for (const { key, most } of holders) {
      if (this.#count(key) >= most) this.#dropEnded(this.#ofKey.get(key) ?? [], now)
      if (this.#count(key) >= most) return Promise.resolve({ allowed: false, key })
    }
    if (this.#held.size < this.#most) this.#add(id, { keys: holders.map(({ key }) => key), note, endsAt: now + forMs })
    return Promise.resolve({ allowed: true, isNew: true })
  }

  giveBack(id: string): Promise<{ readonly keys: readonly string[]; readonly note: string } | null> {
    this.#dropEnded([id], this.#monotonic())
    const held = this.#held.get(id)
    if (held === undefined) return Promise.resolve(null)
    this.#drop(id, held)
    return Promise.resolve({ keys: held.keys, note: held.note })
  }

  #count(key: string): number {
    return this.#ofKey.get(key)?.size ?? 0
  }

  #add(id: string, held: Held): void {
    this.#held.set(id, held)
    for (const key of held.keys) {
      const ids = this.#ofKey.get(key)
      if (ids === undefined) this.#ofKey.set(key, new Set([id]))
      else ids.add(id)
    }
  }

  #dropEnded(ids: Iterable<string>, now: number): void {
    for (const id of ids) {
      const held = this.#held.get(id)
      if (held !== undefined && held.endsAt <= now) this.#drop(id, held)
    }
  }

  #drop(id: string, { keys }: Held): void {
    this.#held.delete(id)
    for (const key of keys) {
      const ids = this.#ofKey.get(key)
      ids?.delete(id)
      if (ids?.size === 0) this.#ofKey.delete(key)
    }
  }
}
