import Type, { type Static } from 'typebox'
import { Attempt, FinishReason, MessageId, ModelName, Offset, Timing, TurnId, Usage } from '../fields.ts'

export const TurnFinished = Type.Object({
  type: Type.Literal('turn.finished'),
  turn_id: TurnId,
  attempt: Attempt,
  message_id: MessageId,
  reason: FinishReason,
  end: Offset,
  usage: Type.Union([Usage, Type.Null()], { description: 'null where the engine told nothing' }),
  timing: Timing,
  model: Type.Union([ModelName, Type.Null()], { description: 'null where no model began the reply' }),
  cached: Type.Boolean(),
  cost_usd: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]),
})
export type TurnFinished = Static<typeof TurnFinished>
