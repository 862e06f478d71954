/**
 * Runs that send here although no actor of this process holds their turn. One that has ended elsewhere is told to stop.
 * One that goes on is a reason to take its conversation up: most often this process is the successor of the one that
 * the run was granted by, and an abort would end a reply that can go on.
 */
import type { ConversationStore } from '../../storage/conversation-store.ts'

/** Every run is looked up once in this time; it sends many times a second. */
const lookAgainMs = 2_000
/** Runs remembered; beyond it the oldest are forgotten, and looked up again. */
const longestMemory = 10_000
/** Looked up at once; those beyond are heard of again. */
const mostLookUps = 64

export interface StrayRunsOptions {
  readonly store: Pick<ConversationStore, 'turn'>
  /** Monotonic, milliseconds. */
  readonly now: () => number
  readonly abort: (bridge: string, turnId: string, run: number) => void
  readonly activate: (conversationId: number) => Promise<void>
  readonly fault: (error: unknown, turnId: string) => void
}

export class StrayRuns {
  readonly #options: StrayRunsOptions
  readonly #lookedUpAt = new Map<string, number>()
  #lookUps = 0

  constructor(options: StrayRunsOptions) {
    this.#options = options
  }

  heard(bridge: string, turnId: string, run: number): void {
    const key = `${turnId}/${run}`
    const now = this.#options.now()
    const before = this.#lookedUpAt.get(key)
    if (this.#lookUps >= mostLookUps || (before !== undefined && now - before < lookAgainMs)) return
    this.#lookedUpAt.delete(key)
    this.#lookedUpAt.set(key, now)
    if (this.#lookedUpAt.size > longestMemory) this.#lookedUpAt.delete(this.#lookedUpAt.keys().next().value as string)
    void this.#lookUp(bridge, turnId, run)
  }

  async #lookUp(bridge: string, turnId: string, run: number): Promise<void> {
    const { store, abort, activate, fault } = this.#options
    this.#lookUps += 1
    try {
      const turn = await store.turn(turnId)
      const over = turn === null || turn.state === 'finished' || turn.state === 'failed' || turn.run !== run
      if (over) abort(bridge, turnId, run)
      else await activate(turn.conversationId)
    } catch (error) {
      // Postgres is away, or another owner lives: the run goes on, and is heard of again.
      fault(error, turnId)
    } finally {
      this.#lookUps -= 1
    }
  }
}
