import Type, { type Static } from 'typebox'
import { Offset, TurnId } from '../websocket/fields.ts'
import { ProcessName, Run, TokenIds, Version } from './begin.ts'

export const ControlRequest = Type.Union([
  /** Stop this run. Its job is neither acked nor naked by it: who aborts has ended or regranted the turn. */
  Type.Object({ v: Version, type: Type.Literal('abort'), turn_id: TurnId, run: Run }),
  /** Send this run's deltas to `edge` from now on, and answer with what lies beyond `offset` and `id_offset`. */
  Type.Object({ v: Version, type: Type.Literal('attach'), turn_id: TurnId, run: Run, edge: ProcessName, offset: Offset, id_offset: Offset }),
])
export type ControlRequest = Static<typeof ControlRequest>

export const ControlReply = Type.Union([
  /** `text` is all that the run ever sent, what it resumed from included. */
  Type.Object({ v: Version, type: Type.Literal('aborted'), text: Type.String() }),
  Type.Object({ v: Version, type: Type.Literal('attached'), text: Type.String(), token_ids: TokenIds }),
  /** This bridge does not hold that run. */
  Type.Object({ v: Version, type: Type.Literal('unknown') }),
])
export type ControlReply = Static<typeof ControlReply>
