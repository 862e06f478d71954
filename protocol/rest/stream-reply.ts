import Type from 'typebox'
import { CorrelationParams, examples } from './fields.ts'
import { ActingFor } from './headers.ts'
import type { Operation } from './operation.ts'

/** `attempt:offset` of the text that was read; of the last event, `done`. */
const eventId = '^(done|[1-9][0-9]{0,9}:(0|[1-9][0-9]{0,9}))$'

export const streamReply = {
  method: 'get',
  path: '/stream/{correlation_id}',
  permission: 'conversations:read',
  summary: 'A reply as server-sent events',
  description:
    'Each event is `data: {"token": "…", "done": false}`, with as much text as there is new; the last is `data: [DONE]`. A stream that breaks goes on at the next character where its last `id` is sent as `Last-Event-ID`, as browsers do by themselves, at any server. A reply that has ended is read the same way. Where a reply fails, or begins anew after some of it was read, an event `error` with `{"token": "", "done": true, "error": {code, message, retryable}}` comes before the last.',
  params: CorrelationParams,
  query: Type.Object({ ticket: Type.Optional(Type.String({ maxLength: 1024, description: 'That of `stream_endpoint`, in place of credentials: opens this stream alone' })) }),
  streamTicketFor: 'correlation_id',
  headers: Type.Object({ ...ActingFor, 'last-event-id': Type.Optional(Type.String({ pattern: eventId, description: 'The `id` of the last event that came' })) }),
  example: { params: { correlation_id: examples.turnId } },
  responses: {
    200: { description: 'Events until the reply ends', contentType: 'text/event-stream', schema: Type.String(), example: examples.events },
    204: { description: 'The last event has been read: there is nothing more, and browsers stop to ask' },
  },
  errors: ['turn_not_found', 'unavailable'],
} as const satisfies Operation

export interface StreamPosition {
  readonly attempt: number
  readonly offset: number
}

/** Of an id that has passed the schema; null for that of the last event. */
export function parseEventId(id: string): StreamPosition | null {
  if (id === 'done') return null
  const [attempt = 1, offset = 0] = id.split(':').map(Number)
  return { attempt, offset }
}
