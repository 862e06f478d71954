/** The unfinished turns of this process, and the actors that hold them. */
import { queuedEvent } from '../conversation/accept.ts'
import type { Turn } from '../conversation/turn.ts'
import type { QueuePosition } from '../jobs/publisher.ts'
import type { ConversationActor } from './actor.ts'

export class ActiveTurns {
  readonly #actors = new Map<string, ConversationActor>()
  /** What a queued turn's clients were told last. */
  readonly #positions = new Map<string, number>()

  get size(): number {
    return this.#actors.size
  }

  readonly actorOf = (turnId: string): ConversationActor | undefined => this.#actors.get(turnId)

  add(turnId: string, actor: ConversationActor): void {
    this.#actors.set(turnId, actor)
  }

  remove(turnId: string): void {
    this.#actors.delete(turnId)
    this.#positions.delete(turnId)
  }

  /** Those that no bridge has begun. */
  *queued(): Iterable<readonly [turn: Turn, actor: ConversationActor]> {
    for (const [turnId, actor] of this.#actors) {
      const turn = actor.glance(turnId)
      if (turn?.state === 'queued') yield [turn, actor]
    }
  }

  areQueued(): boolean {
    for (const _ of this.queued()) return true
    return false
  }

  /** Ids of those whose deadline has passed. */
  *overdue(now: number): Iterable<string> {
    for (const [turnId, actor] of this.#actors) {
      const turn = actor.glance(turnId)
      if (turn !== undefined && turn.deadlineAt <= now) yield turnId
    }
  }

  /** Those whose bridge was heard of, and not since then. One that is known to be gone is not among them. */
  *silentSince(then: number): Iterable<readonly [turnId: string, actor: ConversationActor]> {
    for (const [turnId, actor] of this.#actors) {
      if (isSilent(actor.glance(turnId), then) && isSilent(turnOf(actor, turnId), then)) yield [turnId, actor]
    }
  }

  /** Tells the clients of queued turns how far the queue has come, where that has changed. */
  tellPositions(positionOf: (turnId: string) => QueuePosition | null): void {
    for (const [turn, actor] of this.queued()) {
      const place = positionOf(turn.turnId)
      if (place === null || this.#positions.get(turn.turnId) === place.position) continue
      this.#positions.set(turn.turnId, place.position)
      actor.feed.emit(queuedEvent(actor.conversationId, turn, place.position, place.etaMs))
    }
  }
}

function turnOf(actor: ConversationActor, turnId: string): Turn | undefined {
  return actor.state.turns.find((candidate) => candidate.turnId === turnId)
}

function isSilent(turn: Turn | undefined, then: number): boolean {
  return turn?.state === 'running' && !turn.cut && turn.heardAt > 0 && turn.heardAt < then
}
