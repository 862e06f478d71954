import Type, { type Static } from 'typebox'

/** How soon a turn gets its turn: lanes are queues of their own, that bridges take from by weight. */
export const Lane = Type.Union([Type.Literal('premium'), Type.Literal('standard'), Type.Literal('batch')])
export type Lane = Static<typeof Lane>

/** W3C Trace Context: version, trace, span, flags. */
export const Traceparent = Type.String({ pattern: '^[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$' })

/** What the edge that has the client knows of a command beside its content. No part of its meaning: a repetition may differ in it. */
export const Origin = Type.Object({
  lane: Type.Optional(Lane),
  traceparent: Type.Optional(Traceparent),
  max_tokens: Type.Optional(Type.Integer({ minimum: 1, maximum: 131072, description: 'The reply may not be longer, whatever the command asks for' })),
  kept: Type.Optional(Type.Boolean({ description: 'The reply is written to its end, whether anybody listens or not' })),
})
export type Origin = Static<typeof Origin>
