import Type, { type Static } from 'typebox'
import { Attempt, ConversationId, EchoedRef, Message, MessageId, ModelName, Offset, Ref, Title, TurnId, TurnState } from '../fields.ts'

/** How far a client has got: the newest message it holds, and its oldest unfinished turn (that of the lowest `message_id`) with what it shows of it. */
export const Cursor = Type.Object({
  message_id: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'The newest message held' })),
  turn_id: Type.Optional(TurnId),
  attempt: Type.Optional(Attempt),
  offset: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'The end of its text held' })),
})
export type Cursor = Static<typeof Cursor>

export const ConversationOpen = Type.Object({
  type: Type.Literal('conversation.open'),
  ref: Ref,
  conversation_id: ConversationId,
  cursor: Type.Optional(Cursor),
})
export type ConversationOpen = Static<typeof ConversationOpen>

/** An unfinished turn: `text` is its reply from `offset` to `end`. */
export const TurnSnapshot = Type.Object({
  turn_id: TurnId,
  user_message_id: MessageId,
  message_id: MessageId,
  attempt: Attempt,
  offset: Offset,
  end: Offset,
  text: Type.String({ description: 'The reply from offset to end' }),
  state: TurnState,
  model: Type.Optional(ModelName),
  position: Type.Optional(Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Turns ahead, where that is known' })),
})
export type TurnSnapshot = Static<typeof TurnSnapshot>

export const ConversationOpened = Type.Object({
  type: Type.Literal('conversation.opened'),
  ref: EchoedRef,
  conversation_id: ConversationId,
  title: Type.Union([Title, Type.Null()]),
  messages: Type.Array(Message, { description: 'Oldest first, all branches, at most 200 and 256 KiB: the newest above the cursor' }),
  active_leaf: Type.Union([MessageId, Type.Null()], { description: 'The newest message; its reply may be under way' }),
  has_more: Type.Boolean({ description: 'Older messages than these exist that the cursor does not cover' }),
  reset: Type.Boolean({ description: 'The cursor was unknown or too old: drop your copy' }),
  turns: Type.Array(TurnSnapshot, { description: 'Unfinished turns, in the order in which they run: an edit or a regenerate goes before those that wait' }),
})
export type ConversationOpened = Static<typeof ConversationOpened>
