import Type, { type Static } from 'typebox'
import { EchoedRef, Ref, Timestamp } from '../fields.ts'

export const AuthRefresh = Type.Object({
  type: Type.Literal('auth.refresh'),
  ref: Ref,
  token: Type.String({ minLength: 1, maxLength: 8192 }),
})
export type AuthRefresh = Static<typeof AuthRefresh>

export const AuthRefreshed = Type.Object({
  type: Type.Literal('auth.refreshed'),
  ref: EchoedRef,
  expires_at: Type.Optional(Timestamp),
})
export type AuthRefreshed = Static<typeof AuthRefreshed>
