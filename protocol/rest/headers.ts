/** Headers that several operations share. */
import Type from 'typebox'
import { limits } from '../websocket/limits.ts'

/** Where credentials may act for others. */
export const ActingFor = {
  'x-user-id': Type.Optional(Type.String({ minLength: 1, maxLength: limits.userIdLength, description: 'The user that the request is for, where the credentials may act for others; in ASCII' })),
}

/** Of requests that begin a turn. */
export const BeginsTurn = {
  ...ActingFor,
  'idempotency-key': Type.Optional(Type.String({ minLength: 1, maxLength: 255, description: 'The same key with the same content begins nothing new: it is answered as the first time' })),
  prefer: Type.Optional(Type.String({ maxLength: 512, description: 'RFC 7240: `respond-async`, `wait=SECONDS`' })),
}

/** Of their answers. */
export const turnHeaders = {
  'X-Conversation-Id': 'The conversation; name it as `conversation_id` to go on',
  'X-Correlation-Id': 'The turn: `GET /turns/{correlation_id}` tells how it stands',
} as const
