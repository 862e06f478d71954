/** Fields that several operations share. Where the endpoints are of the first specification, so are names and types. */
import Type, { type Static } from 'typebox'
import { ClientId, ConversationId, ModelName, Params, Text, Title, TurnId } from '../websocket/fields.ts'
import { limits } from '../websocket/limits.ts'
import { importLimits } from '../imported-history.ts'

export const UserId = Type.String({ minLength: 1, maxLength: limits.userIdLength, description: 'The user. May be left out where the credentials say it' })

/** To the second, as the specification has it. */
export const WholeSeconds = Type.String({ format: 'date-time', description: 'ISO 8601, UTC, whole seconds' })

export const CorrelationParams = Type.Object({ correlation_id: TurnId })
export const ConversationParams = Type.Object({ conversation_id: ConversationId })

export const ContextMessage = Type.Union([
  Type.Object({ role: Type.Union([Type.Literal('system'), Type.Literal('user'), Type.Literal('assistant')]), content: Type.String({ maxLength: limits.textLength }) }),
  Type.String({ maxLength: limits.textLength, description: 'Said by the user first, and by the two in turn from then on' }),
])
export type ContextMessage = Static<typeof ContextMessage>

/** What begins a turn. */
export const ChatRequest = Type.Object({
  message: Text,
  user_id: Type.Optional(UserId),
  context: Type.Optional(Type.Array(ContextMessage, { maxItems: importLimits.messages, description: 'What was said before, oldest first: a new conversation begins with it' })),
  stream: Type.Optional(Type.Boolean()),
  conversation_id: Type.Optional(ConversationId),
  client_message_id: Type.Optional(ClientId),
  model: Type.Optional(ModelName),
  params: Type.Optional(Params),
})
export type ChatRequest = Static<typeof ChatRequest>

/** A context in JSON may be six times as long as in UTF-8; most are not. */
export const chatBodyBytes = 2 * 1024 * 1024

export const NullableTitle = Type.Union([Title, Type.Null()])

/** Answered with 202: the reply is written, and can be read later. */
export const Deferred = Type.Object({
  status: Type.Literal('accepted'),
  correlation_id: TurnId,
  conversation_id: ConversationId,
  status_url: Type.String({ description: 'GET it for the reply' }),
  stream_endpoint: Type.String({ description: 'GET it for the reply as server-sent events' }),
})
export type Deferred = Static<typeof Deferred>

/** For the documentation. */
export const examples = {
  turnId: '01a213cd-2071-715b-8783-1ee52124fe1a',
  conversationId: 4318208,
  events: 'retry: 1000\n\nid: 1:4\ndata: {"token": "Once", "done": false}\n\nid: 1:9\ndata: {"token": " upon", "done": false}\n\nid: done\ndata: [DONE]\n\n',
} as const
