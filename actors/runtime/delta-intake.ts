/** Takes batches of deltas off the bus, and gives each item to the actor that holds its turn. What cannot be of a run of ours is refused by itself: the others of its batch are another turn's. */
import { decodeDeltaBatch } from '../../protocol/bus/codec.ts'
import type { DeltaItem } from '../../protocol/bus/deltas.ts'
import { isTurnId } from '../../protocol/ids.ts'
import { isWellFormed } from '../../protocol/text.ts'
import type { ChannelMessage } from '../../platform/bus/channel.ts'
import type { Refusals } from '../../platform/bus/refusals.ts'
import { exceedsReply } from '../conversation/rules.ts'
import type { ConversationActor } from './actor.ts'
import type { StrayRuns } from './stray-runs.ts'

export interface DeltaIntakeOptions {
  readonly now: () => number
  readonly actorOfTurn: (turnId: string) => ConversationActor | undefined
  readonly strays: Pick<StrayRuns, 'heard'>
  readonly refusals: Refusals
  readonly abort: (bridge: string, turnId: string, run: number) => void
}

export class DeltaIntake {
  readonly #options: DeltaIntakeOptions

  constructor(options: DeltaIntakeOptions) {
    this.#options = options
  }

  receive(message: ChannelMessage): void {
    const { now, actorOfTurn, strays, refusals, abort } = this.#options
    let batch
    try {
      batch = decodeDeltaBatch(message.payload)
    } catch (error) {
      refusals.failed(message.subject, error)
      return
    }
    const { bridge } = batch
    const at = now()
    for (const item of batch.items) {
      const [turnId, run] = item
      const actor = actorOfTurn(turnId)
      const fault = faultOf(item, actor)
      if (fault !== null) {
        refusals.refused({ subject: message.subject, kind: fault, sender: bridge, reason: `a delta that is ${fault}` })
        // Nothing more of this run can be taken: what follows would leave a gap for ever.
        if (actor !== undefined) abort(bridge, turnId, run)
      } else if (actor === undefined) strays.heard(bridge, turnId, run)
      else actor.hear(bridge, item, at)
    }
  }
}

function faultOf([turnId, , offset, text, idOffset, ids]: DeltaItem, actor: ConversationActor | undefined): string | null {
  if (actor === undefined && !isTurnId(turnId)) return 'of no turn'
  if (exceedsReply(offset + text.length, idOffset + ids.byteLength / 4)) return 'too long'
  return isWellFormed(text) ? null : 'not well-formed'
}
