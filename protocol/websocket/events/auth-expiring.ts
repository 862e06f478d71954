import Type, { type Static } from 'typebox'
import { Timestamp } from '../fields.ts'

export const AuthExpiring = Type.Object({
  type: Type.Literal('auth.expiring'),
  expires_at: Timestamp,
})
export type AuthExpiring = Static<typeof AuthExpiring>
