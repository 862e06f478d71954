/**
 * When a turn that is found again and again has its job published again: at once, then after 5 s, and then twice as long
 * each time, up to 60 s. Anew as soon as something about the turn has changed: its owner is gone, or another run holds it.
 */
import type { SweptTurn } from '../../storage/conversation-store.ts'

const firstMs = 5_000
const longestMs = 60_000
/** A sweep that comes a little early counts. */
const slackMs = 1_000
/** Turns remembered. Beyond, those seen longest ago are forgotten, and published at their next sighting. */
const mostTurns = 20_000

interface Sighting {
  readonly what: string
  readonly intervalMs: number
  readonly dueAt: number
}

export class RepublishIntervals {
  readonly #seen = new Map<string, Sighting>()

  /** `now` in milliseconds, monotonic. One that is due is taken to be published now. */
  isDue(turn: SweptTurn, now: number): boolean {
    const what = `${turn.state} ${turn.run} ${turn.liveOwner ?? ''}`
    const before = this.#seen.get(turn.turnId)
    const known = before?.what === what ? before : undefined
    const due = known === undefined || now >= known.dueAt - slackMs
    const intervalMs = known === undefined ? firstMs : Math.min(longestMs, known.intervalMs * 2)
    // Those seen last stand last.
    this.#seen.delete(turn.turnId)
    this.#seen.set(turn.turnId, due ? { what, intervalMs, dueAt: now + intervalMs } : known)
    if (this.#seen.size > mostTurns) this.#seen.delete(this.#seen.keys().next().value as string)
    return due
  }

  /** What was published may be lost. */
  beginAnew(): void {
    this.#seen.clear()
  }
}
