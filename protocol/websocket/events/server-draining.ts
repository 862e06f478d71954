import Type, { type Static } from 'typebox'

export const ServerDraining = Type.Object({
  type: Type.Literal('server.draining'),
  reconnect_after_ms: Type.Number({ minimum: 0, description: 'Different for each client, so that they leave one by one' }),
})
export type ServerDraining = Static<typeof ServerDraining>
