/** WebSocket subprotocols, in the order the server prefers when a client offers several. */
export const subprotocols = ['chatterbot.v1.msgpack', 'chatterbot.v1.json'] as const

export type Subprotocol = (typeof subprotocols)[number]

/** Taken when a client offers none. */
export const defaultSubprotocol: Subprotocol = 'chatterbot.v1.json'
