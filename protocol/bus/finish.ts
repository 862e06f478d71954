import Type, { type Static } from 'typebox'
import { ConversationId, FinishReason, ModelName, Offset, TurnError, TurnId, Usage } from '../websocket/fields.ts'
import { ProcessName, Run, Version } from './begin.ts'

export const Outcome = Type.Union([
  Type.Object({ type: Type.Literal('finished'), reason: FinishReason }),
  Type.Object({ type: Type.Literal('failed'), error: TurnError }),
])
export type Outcome = Static<typeof Outcome>

/** The end of a run: `text` is the reply from `offset` on, so that nothing depends on deltas that may be lost. */
export const FinishRequest = Type.Object({
  v: Version,
  turn_id: TurnId,
  conversation_id: ConversationId,
  bridge: ProcessName,
  run: Run,
  offset: Offset,
  text: Type.String(),
  outcome: Outcome,
  usage: Type.Union([Usage, Type.Null()]),
  model: ModelName,
  cached: Type.Boolean(),
  cost_usd: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
})
export type FinishRequest = Static<typeof FinishRequest>

export const FinishReply = Type.Union([
  /** Committed: ack the job. */
  Type.Object({ v: Version, type: Type.Literal('confirmed') }),
  /** Not this run's to end: stop, neither ack nor nak. */
  Type.Object({ v: Version, type: Type.Literal('abort') }),
  /** The owner holds text up to `have` only: send again from there. */
  Type.Object({ v: Version, type: Type.Literal('gap'), have: Offset }),
  /** Nothing can be committed now: ask again after this. */
  Type.Object({ v: Version, type: Type.Literal('busy'), retry_ms: Type.Integer({ minimum: 0 }) }),
])
export type FinishReply = Static<typeof FinishReply>
