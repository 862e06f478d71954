/** WebSocket close codes, shared by server and client. 4400 to 4408: do not reconnect unchanged; 4429 and above: reconnect with backoff, as after 1006. */
export const closeCodes = {
  1000: { name: 'normal', reconnect: false },
  1001: { name: 'going away', reconnect: true },
  1006: { name: 'connection lost', reconnect: true },
  1009: { name: 'frame too big', reconnect: false },
  1012: { name: 'restart', reconnect: true },
  1013: { name: 'overloaded', reconnect: true },
  4400: { name: 'bad frame', reconnect: false },
  4401: { name: 'unauthenticated', reconnect: false },
  4403: { name: 'forbidden', reconnect: false },
  4408: { name: 'no hello', reconnect: false },
  4429: { name: 'rate limited', reconnect: true },
  4430: { name: 'too slow', reconnect: true },
} as const

export type CloseCode = keyof typeof closeCodes

/** Whether a client may reconnect by itself after this code. Unknown codes are taken as a lost connection. */
export function mayReconnect(code: number): boolean {
  return (closeCodes as Record<number, { reconnect: boolean }>)[code]?.reconnect ?? true
}
