import Type from 'typebox'
import { Timestamp } from '../websocket/fields.ts'
import { ActingFor } from './headers.ts'
import type { Operation } from './operation.ts'

const Ticket = Type.Object({
  ticket: Type.String({ description: 'For `GET /ws?ticket=…`' }),
  expires_at: Timestamp,
})

export const createTicket = {
  method: 'post',
  path: '/tickets',
  permission: 'any',
  summary: 'A ticket for one WebSocket',
  description:
    'A browser can set no header when it opens a WebSocket, so it shows a ticket in the address: `GET /ws?ticket=…`. A ticket opens one connection, within 30 s, with what the credentials of this request allow. The `hello` on that connection needs no token.',
  headers: Type.Object(ActingFor),
  responses: {
    201: {
      description: 'The ticket, which is shown this once',
      schema: Ticket,
      example: { ticket: `wt_7_${'0123456789abcdef'.repeat(4)}`, expires_at: '2026-05-01T12:00:30.000Z' },
    },
  },
  errors: ['unavailable'],
} as const satisfies Operation
