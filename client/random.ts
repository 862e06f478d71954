/** Chosen by the client, so that sending again is safe. Works in pages without TLS too, where crypto.randomUUID does not. */
export function newClientId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}

/** Full jitter: anything up to a limit that doubles with each failure, so that the clients of a lost server do not return as one. */
export function backoffMs(failures: number, { baseMs, maxMs }: { readonly baseMs: number; readonly maxMs: number }): number {
  return Math.random() * Math.min(maxMs, baseMs * 2 ** Math.min(failures, 30))
}
