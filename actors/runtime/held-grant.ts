import type { ConversationEvent, FinishEvent } from '../conversation/events.ts'
import { WriteHold } from '../../storage/write-hold.ts'

/** The commit of a grant that its bridge has already: nobody waits for it until the run says something. */
export class HeldGrant {
  readonly hold = new WriteHold()
  readonly #turnId: string
  #finish: FinishEvent | null = null

  constructor(turnId: string) {
    this.#turnId = turnId
  }

  /** True where the run's end is written with its grant. False where the grant is on its way, or the finish is another turn's. */
  endsWith(finish: FinishEvent): boolean {
    if (finish.request.turn_id !== this.#turnId || !this.hold.withdraw()) return false
    this.#finish = finish
    return true
  }

  /** What happened instead of the commit, once `endsWith` was true. */
  get withdrawn(): ConversationEvent {
    if (this.#finish === null) throw new Error('a grant was taken back for nothing')
    return { type: 'withdrawn', finish: this.#finish }
  }
}
