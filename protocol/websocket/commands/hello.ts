import Type, { type Static } from 'typebox'
import { Count, EchoedRef, Load, Ref, Timestamp } from '../fields.ts'

export const Hello = Type.Object({
  type: Type.Literal('hello'),
  ref: Ref,
  token: Type.Optional(Type.String({ minLength: 1, maxLength: 8192, description: 'Credentials, where the mode of authentication asks for them' })),
  user_id: Type.Optional(Type.String({ minLength: 1, maxLength: 128, description: 'Only with authentication mode none' })),
  client: Type.Optional(Type.String({ maxLength: 128, description: 'Name and version of the client, for the log' })),
})
export type Hello = Static<typeof Hello>

/** Limits that hold on this connection. */
export const ConnectionLimits = Type.Object({
  frame_bytes: Count,
  text_bytes: Count,
  frames_per_second: Count,
  unanswered_commands: Count,
  open_conversations: Count,
  waiting_turns: Count,
})
export type ConnectionLimits = Static<typeof ConnectionLimits>

export const Welcome = Type.Object({
  type: Type.Literal('welcome'),
  ref: EchoedRef,
  session_id: Type.String(),
  user_id: Type.String(),
  node_id: Type.String(),
  expires_at: Type.Optional(Timestamp),
  limits: ConnectionLimits,
  load: Load,
})
export type Welcome = Static<typeof Welcome>
