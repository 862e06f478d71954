import Type, { type Static } from 'typebox'
import { EchoedRef, Milliseconds } from '../fields.ts'

/** The reply to a command that failed, or, without ref, a fault of the connection. */
export const ErrorReply = Type.Object({
  type: Type.Literal('error'),
  ref: EchoedRef,
  code: Type.String({ description: 'One of the catalogue; see docs/errors.md' }),
  message: Type.String({ description: 'For people' }),
  retryable: Type.Boolean({ description: 'Whether the same command may succeed later' }),
  retry_after_ms: Type.Optional(Milliseconds),
  pointer: Type.Optional(Type.String({ description: 'JSON pointer to the field at fault' })),
})
export type ErrorReply = Static<typeof ErrorReply>
