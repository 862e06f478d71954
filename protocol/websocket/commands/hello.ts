import Type, { type Static } from 'typebox'
import { EchoedRef, Load, Ref, Timestamp } from '../fields.ts'

export const Hello = Type.Object({
  type: Type.Literal('hello'),
  ref: Ref,
  token: Type.Optional(Type.String({ minLength: 1, maxLength: 8192, description: 'An API key or a token, where the mode of authentication asks for one and the handshake brought none' })),
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Whom to act for, where the credentials allow it; with the mode of authentication `none`, who the client is' })),
  client: Type.Optional(Type.String({ maxLength: 128, description: 'Name and version of the client, for the log' })),
})
export type Hello = Static<typeof Hello>

const limit = (description: string) => Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description })

/** Limits that hold on this connection. */
export const ConnectionLimits = Type.Object({
  frame_bytes: limit('Bytes of a frame'),
  text_bytes: limit('Bytes of the text of a message, in UTF-8'),
  frames_per_second: limit('Commands a second, on average'),
  unanswered_commands: limit('Commands on their way at a time'),
  open_conversations: limit('Conversations open at a time'),
  waiting_turns: limit('Turns of a conversation that wait behind the running one'),
  plan: Type.Optional(Type.String({ description: 'Name of the plan whose limits follow; one that is absent is no limit' })),
  turns_per_minute: Type.Optional(limit('Messages, edits and regenerations in a minute')),
  concurrent_turns: Type.Optional(limit('Replies that wait or are written at a time')),
  tokens_in_per_minute: Type.Optional(limit('Tokens of contexts in a minute')),
  tokens_in_per_day: Type.Optional(limit('Tokens of contexts in a day')),
  tokens_out_per_minute: Type.Optional(limit('Tokens of replies in a minute')),
  tokens_out_per_day: Type.Optional(limit('Tokens of replies in a day')),
  max_tokens: Type.Optional(limit('Tokens of a reply at most')),
})
export type ConnectionLimits = Static<typeof ConnectionLimits>

export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  ref: EchoedRef,
  session_id: Type.String({ description: 'Of this connection, for support' }),
  user_id: Type.String({ description: 'Whom the server takes the client for' }),
  node_id: Type.String({ description: 'The server that answers' }),
  expires_at: Type.Optional(Timestamp),
  limits: ConnectionLimits,
  load: Load,
})
export type Welcome = Static<typeof Welcome>
