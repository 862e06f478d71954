import Type, { type Static } from 'typebox'
import { Offset, TurnId } from '../websocket/fields.ts'
import { ProcessName, Run, TokenIds, Version } from './begin.ts'

/**
 * One run's progress: `text` stands at `offset` of the attempt's text, `token_ids` at index `id_offset` of its ids, and
 * after both, text and ids say exactly the same. Without text and ids it is a beat: the run is alive and stands there.
 * A tuple, as it is the hot path: [turn_id, run, offset, text, id_offset, token_ids].
 */
export const DeltaItem = Type.Tuple([TurnId, Run, Offset, Type.String(), Offset, TokenIds])
export type DeltaItem = Static<typeof DeltaItem>

export const DeltaBatch = Type.Object({ v: Version, bridge: ProcessName, items: Type.Array(DeltaItem) })
export type DeltaBatch = Static<typeof DeltaBatch>
