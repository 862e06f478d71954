/** Whose turn it is: smooth weighted round robin, so that each lane gets its share and none starves. */
import { lanes, type Lane } from '../../platform/bus/job-queue.ts'

export const laneWeights: Readonly<Record<Lane, number>> = { premium: 8, standard: 4, batch: 1 }

export class LaneOrder {
  readonly #credit: Record<Lane, number> = { premium: 0, standard: 0, batch: 0 }

  /** The lane whose turn it is among those that have something; null where none has. */
  next(has: (lane: Lane) => boolean): Lane | null {
    let chosen: Lane | null = null
    let total = 0
    for (const lane of lanes) {
      if (!has(lane)) continue
      this.#credit[lane] += laneWeights[lane]
      total += laneWeights[lane]
      if (chosen === null || this.#credit[lane] > this.#credit[chosen]) chosen = lane
    }
    if (chosen !== null) this.#credit[chosen] -= total
    return chosen
  }
}
