import Type, { type Static } from 'typebox'
import { ClientId, ConversationId, EchoedRef, MessageId, ModelName, Params, Ref, Text, TurnId } from '../fields.ts'

export const MessageSend = Type.Object({
  type: Type.Literal('message.send'),
  ref: Ref,
  conversation_id: ConversationId,
  client_message_id: ClientId,
  text: Text,
  parent_id: Type.Optional(Type.Union([MessageId, Type.Null()], { description: 'Omitted: the newest message; null: a new root' })),
  model: Type.Optional(ModelName),
  params: Type.Optional(Params),
})
export type MessageSend = Static<typeof MessageSend>

/** Committed. The first answer is repeated, with `duplicate`, for a repeated client_message_id. */
export const MessageAccepted = Type.Object({
  type: Type.Literal('message.accepted'),
  ref: EchoedRef,
  client_message_id: ClientId,
  conversation_id: ConversationId,
  message_id: Type.Integer({ minimum: 1, description: 'The user message (for turn.regenerate: the one that is answered again)' }),
  parent_id: Type.Union([MessageId, Type.Null()]),
  turn_id: TurnId,
  reply_message_id: Type.Integer({ minimum: 1, description: 'The reply, which is under way or done' }),
  state: Type.Union([Type.Literal('waiting'), Type.Literal('queued'), Type.Literal('running'), Type.Literal('finished'), Type.Literal('failed')]),
  duplicate: Type.Boolean(),
})
export type MessageAccepted = Static<typeof MessageAccepted>
