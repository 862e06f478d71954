/** The conversation that an address names. The server knows only the page itself, so that the address has it behind the hash: `#/c/ID`. */

export function conversationOf(hash: string): number | null {
  const digits = /^#\/c\/([1-9][0-9]{0,15})$/.exec(hash)?.[1]
  const id = digits === undefined ? Number.NaN : Number(digits)
  return Number.isSafeInteger(id) ? id : null
}

export function hashOf(conversationId: number | null): string {
  return conversationId === null ? '#/' : `#/c/${conversationId}`
}
