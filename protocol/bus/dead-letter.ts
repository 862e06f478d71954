import Type, { type Static } from 'typebox'
import { Attempt, ConversationId, TurnId } from '../websocket/fields.ts'
import { ProcessName, Version } from './begin.ts'
import { Lane } from './origin.ts'

/** What is kept of a job whose turn was given up. Not its text: that is the user's, and stays in the conversation. */
export const DeadLetterMessage = Type.Object({
  v: Version,
  turn_id: TurnId,
  conversation_id: ConversationId,
  lane: Lane,
  reason: Type.String({ minLength: 1, maxLength: 64, description: 'Code of the error that the turn failed with' }),
  attempt: Attempt,
  run: Type.Integer({ minimum: 0, description: 'The last run; 0: no bridge ever began' }),
  bridge: Type.Union([ProcessName, Type.Null()], { description: 'Of the last run' }),
  failed_at: Type.Integer({ minimum: 0, description: 'Milliseconds since the epoch' }),
})
export type DeadLetterMessage = Static<typeof DeadLetterMessage>
