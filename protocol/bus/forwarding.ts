/**
 * Commands for a conversation that another edge owns: the edge that has the client, or was asked by an operator, sends
 * them on to the owner's. They have passed the checks of the WebSocket before.
 */
import Type, { type Static } from 'typebox'
import { ConversationDelete, ConversationDeleted } from '../websocket/commands/conversation-delete.ts'
import { ConversationRename, ConversationRenamed } from '../websocket/commands/conversation-rename.ts'
import { MessageEdit } from '../websocket/commands/message-edit.ts'
import { MessageAccepted, MessageSend } from '../websocket/commands/message-send.ts'
import { TurnRegenerate } from '../websocket/commands/turn-regenerate.ts'
import { TurnStop, TurnStopped } from '../websocket/commands/turn-stop.ts'
import { ClientId, ConversationId, MessageId, ModelName, Params, TurnId } from '../websocket/fields.ts'
import { limits } from '../websocket/limits.ts'
import { Version } from './begin.ts'
import { Origin } from './origin.ts'

export const UserId = Type.String({ minLength: 1, maxLength: limits.userIdLength })

/** The receiver is not the owner, or not any more: look for it again. */
export const Moved = Type.Object({ v: Version, type: Type.Literal('moved') })
/** An error of the catalogue, for the client. */
export const Refused = Type.Object({ v: Version, type: Type.Literal('refused'), code: Type.String(), message: Type.String(), retry_after_ms: Type.Optional(Type.Number({ minimum: 0 })) })

/** Asked by an operator for a turn that failed. As turn.regenerate, but it stops no reply under way: it waits for it. */
export const TurnRetry = Type.Object({
  type: Type.Literal('turn.retry'),
  conversation_id: ConversationId,
  message_id: MessageId,
  client_message_id: ClientId,
  model: Type.Optional(ModelName),
  params: Type.Optional(Params),
})
export type TurnRetry = Static<typeof TurnRetry>

/** From an edge whose client went away: the turn is stopped where nobody has had its conversation open for so long. */
export const TurnStopUnheard = Type.Object({ type: Type.Literal('turn.stop_unheard'), turn_id: TurnId, for_ms: Type.Integer({ minimum: 1, maximum: 86_400_000 }) })
export type TurnStopUnheard = Static<typeof TurnStopUnheard>

/** `ask_again_ms`: the time after which that may be so; null: the turn has ended. */
export const TurnUnheard = Type.Object({ type: Type.Literal('turn.unheard'), turn_id: TurnId, ask_again_ms: Type.Union([Type.Number({ minimum: 0 }), Type.Null()]) })

export const ForwardRequest = Type.Object({ v: Version, user_id: UserId, command: Type.Union([MessageSend, MessageEdit, TurnRegenerate, TurnStop, TurnRetry, ConversationRename, ConversationDelete, TurnStopUnheard]), origin: Type.Optional(Origin) })
export type ForwardRequest = Static<typeof ForwardRequest>

export const ForwardReply = Type.Union([Type.Object({ v: Version, type: Type.Literal('answered'), reply: Type.Union([MessageAccepted, TurnStopped, ConversationRenamed, ConversationDeleted, TurnUnheard]) }), Refused, Moved])
export type ForwardReply = Static<typeof ForwardReply>
