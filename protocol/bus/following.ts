/**
 * How an edge follows a conversation that another owns: it keeps a mirror, which the owner sends everything that
 * happens, numbered. The mirror names itself by a number that no other has, so that what was sent to one before it is
 * told apart.
 */
import Type, { type Static } from 'typebox'
import { ConversationOpen, ConversationOpened } from '../websocket/commands/conversation-open.ts'
import { events } from '../websocket/messages.ts'
import { Attempt, ConversationId, TurnId } from '../websocket/fields.ts'
import { ProcessName, Version } from './begin.ts'
import { Moved, Refused, UserId } from './forwarding.ts'

export const MirrorId = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })
export const Sequence = Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER })

/** A client of `edge` opens the conversation: what it is to be told comes as `opened` among the mirror's items. */
export const FollowRequest = Type.Object({ v: Version, user_id: UserId, command: ConversationOpen, edge: ProcessName, mirror: MirrorId, opening: Type.Integer({ minimum: 1 }) })
export type FollowRequest = Static<typeof FollowRequest>

export const FollowReply = Type.Union([Type.Object({ v: Version, type: Type.Literal('following') }), Refused, Moved])
export type FollowReply = Static<typeof FollowReply>

export const ShownText = Type.Object({ turn_id: TurnId, attempt: Attempt, text: Type.String() })
export type ShownText = Static<typeof ShownText>

/** All events of a conversation but `turn.delta`, which the mirror's edge makes itself. */
export const FollowedEvent = Type.Union([events['message.added'], events['conversation.updated'], events['conversation.deleted'], events['turn.queued'], events['turn.started'], events['turn.finished'], events['turn.failed']])
export type FollowedEvent = Static<typeof FollowedEvent>

/**
 * [conversation_id, mirror, sequence, kind, content]. `start` comes first, with the text of the turn that runs; `text` is
 * what was added to that; `moved` is the last, when the conversation leaves its owner.
 */
const head = [ConversationId, MirrorId, Sequence] as const
export const FollowedItem = Type.Union([
  Type.Tuple([...head, Type.Literal('start'), Type.Union([ShownText, Type.Null()])]),
  Type.Tuple([...head, Type.Literal('opened'), Type.Object({ opening: Type.Integer({ minimum: 1 }), opened: ConversationOpened })]),
  Type.Tuple([...head, Type.Literal('text'), ShownText]),
  Type.Tuple([...head, Type.Literal('event'), FollowedEvent]),
  Type.Tuple([...head, Type.Literal('moved'), Type.Null()]),
])
export type FollowedItem = Static<typeof FollowedItem>

/**
 * From the owner's `edge` to a follower's. `digest`, every second: all mirrors that are sent to, with the sequence of the
 * newest item, these included, so that a loss is noticed.
 */
export const FollowedBatch = Type.Object({
  v: Version,
  edge: ProcessName,
  items: Type.Array(FollowedItem),
  digest: Type.Optional(Type.Array(Type.Tuple([ConversationId, MirrorId, Type.Integer({ minimum: 0 })]))),
})
export type FollowedBatch = Static<typeof FollowedBatch>

/** Conversations that were taken from an edge that did not answer: should it live, it looks whether it owns them. */
export const TakenNotice = Type.Object({ v: Version, conversation_ids: Type.Array(ConversationId, { maxItems: 1_000 }) })
export type TakenNotice = Static<typeof TakenNotice>

/** From the follower's `edge`, every second: it lives; and whenever a mirror has no client any more. */
export const FollowerNotice = Type.Object({ v: Version, edge: ProcessName, left: Type.Array(Type.Tuple([ConversationId, MirrorId])) })
export type FollowerNotice = Static<typeof FollowerNotice>
