/**
 * Deltas of a running turn that go on exactly where it stands, gathered until something else happens or somebody looks. To
 * the state machine they are then one delta: joined they change a turn as they do one by one, and each costs no new state.
 */
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import type { ConversationEvent } from './events.ts'
import { startsInPair } from './progress.ts'
import type { ConversationState } from './state.ts'
import { findTurn, isRunOf } from './transitions.ts'
import type { Turn } from './turn.ts'

type Delta = Extract<ConversationEvent, { type: 'delta' }>

const bytesPerId = 4
/** Ids of half a second; it grows where more come before somebody looks. */
const smallestStore = 128

export class GatheredText {
  readonly turnId: string
  readonly attempt: number
  readonly #bridge: string
  readonly #run: number
  #offset: number
  #idOffset: number
  #text = ''
  /** The first `#idBytes` of these. */
  #ids = new Uint8Array(smallestStore)
  #idBytes = 0
  /** When the newest delta came; null: there is none. */
  #now: number | null = null

  private constructor(turn: Turn, bridge: string) {
    this.turnId = turn.turnId
    this.attempt = turn.attempt
    this.#bridge = bridge
    this.#run = turn.run
    this.#offset = turn.text.length
    this.#idOffset = turn.ids.count
  }

  /** For what follows a delta that was taken; null where that is not simply more text. */
  static after(state: ConversationState, { turnId, bridge, run }: Pick<Delta, 'turnId' | 'bridge' | 'run'>): GatheredText | null {
    const turn = findTurn(state, turnId)
    if (turn === undefined || !isRunOf(turn, bridge, run) || turn.state !== 'running' || turn.cut || turn.firstTextAt === null) return null
    return state.step?.type === 'beginning' ? null : new GatheredText(turn, bridge)
  }

  /** False where it is not of this run, or does not go on where the turn stands. */
  take(bridge: string, item: DeltaItem, now: number): boolean {
    const text = item[3]
    const isNext = item[2] === this.#offset + this.#text.length && item[4] === this.#idOffset + this.#idBytes / bytesPerId
    if (!isNext || item[1] !== this.#run || item[0] !== this.turnId || bridge !== this.#bridge || startsInPair(text)) return false
    this.#text += text
    this.#append(item[5])
    this.#now = now
    return true
  }

  /** All that was gathered as one delta; null where nothing was. What comes next is gathered from behind it. */
  join(): Delta | null {
    if (this.#now === null) return null
    const delta: Delta = { type: 'delta', now: this.#now, bridge: this.#bridge, turnId: this.turnId, run: this.#run, offset: this.#offset, text: this.#text, idOffset: this.#idOffset, ids: this.#ids.slice(0, this.#idBytes) }
    this.#offset += this.#text.length
    this.#idOffset += this.#idBytes / bytesPerId
    this.#text = ''
    this.#idBytes = 0
    this.#now = null
    return delta
  }

  #append(ids: Uint8Array): void {
    const longer = this.#idBytes + ids.byteLength
    if (longer > this.#ids.byteLength) {
      const copy = new Uint8Array(2 * longer)
      copy.set(this.#ids)
      this.#ids = copy
    }
    this.#ids.set(ids, this.#idBytes)
    this.#idBytes = longer
  }
}
