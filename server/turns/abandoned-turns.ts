/**
 * Turns whose client went away before the reply: each is stopped once nobody has listened to its conversation for a while,
 * on any edge. One whose edge dies is written to its end instead, as is one that nobody can be asked about.
 */
import { ChatError } from '../../protocol/errors.ts'
import type { ConversationService } from '../../actors/conversation-service.ts'
import type { Logger } from '../../platform/logging/logger.ts'

/** How long a client may be away. */
export const abandonedAfterMs = 60_000
const retryMs = 5_000
/** Turns that are remembered; with more, the one that was left first is written to its end. */
const mostTurns = 50_000

interface AbandonedTurn {
  readonly userId: string
  dueAt: number
}

export interface AbandonedTurnsOptions {
  readonly service: Pick<ConversationService, 'stopUnheard'>
  readonly monotonic: () => number
  readonly logger: Logger
}

export class AbandonedTurns {
  readonly #options: AbandonedTurnsOptions
  readonly #turns = new Map<string, AbandonedTurn>()
  readonly #asking = new Set<string>()

  constructor(options: AbandonedTurnsOptions) {
    this.#options = options
  }

  /** For metrics and tests. */
  get size(): number {
    return this.#turns.size
  }

  /** The client went away that had asked for the turn. */
  left(userId: string, turnId: string): void {
    this.#turns.delete(turnId)
    this.#turns.set(turnId, { userId, dueAt: this.#options.monotonic() + abandonedAfterMs })
    if (this.#turns.size > mostTurns) this.#turns.delete(this.#turns.keys().next().value as string)
  }

  /** It is to be written to its end after all. */
  keep(turnId: string): void {
    this.#turns.delete(turnId)
  }

  /** To be called each second or so. */
  tick(): void {
    const now = this.#options.monotonic()
    for (const [turnId, turn] of this.#turns) {
      if (turn.dueAt > now || this.#asking.has(turnId)) continue
      this.#asking.add(turnId)
      void this.#ask(turnId, turn).finally(() => this.#asking.delete(turnId))
    }
  }

  /** Never rejects. */
  async #ask(turnId: string, turn: AbandonedTurn): Promise<void> {
    const { service, monotonic, logger } = this.#options
    try {
      const again = await service.stopUnheard(turn.userId, turnId, abandonedAfterMs)
      if (again !== null) turn.dueAt = monotonic() + Math.max(1, again.askAgainMs)
      else if (this.#turns.get(turnId) === turn) this.#turns.delete(turnId)
    } catch (error) {
      if (error instanceof ChatError && error.definition.retryable) turn.dueAt = monotonic() + retryMs
      else this.#turns.delete(turnId)
      if (!(error instanceof ChatError)) logger.error({ err: error, turn: turnId }, 'an abandoned turn could not be looked at')
    }
  }
}
