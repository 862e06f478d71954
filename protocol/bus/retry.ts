import Type, { type Static } from 'typebox'
import { ConversationId, TurnId } from '../websocket/fields.ts'
import { Version } from './begin.ts'
import { Refused } from './forwarding.ts'

/** An operator asks for another reply in place of one that failed: a new turn, for the conversation's user. Asked again, it gets the first answer. */
export const RetryRequest = Type.Object({ v: Version, turn_id: TurnId, conversation_id: ConversationId })
export type RetryRequest = Static<typeof RetryRequest>

export const RetryReply = Type.Union([Type.Object({ v: Version, type: Type.Literal('accepted'), turn_id: TurnId, duplicate: Type.Boolean() }), Refused])
export type RetryReply = Static<typeof RetryReply>
