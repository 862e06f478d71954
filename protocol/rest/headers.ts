/** Request headers that several operations share. */
import Type from 'typebox'
import { limits } from '../websocket/limits.ts'

/** Where credentials may act for others. */
export const ActingFor = {
  'x-user-id': Type.Optional(Type.String({ minLength: 1, maxLength: limits.userIdLength, description: 'The user that the request is for, where the credentials may act for others; in ASCII' })),
}
