/** Chosen by the client, so that sending again is safe. Works in pages without TLS too, where crypto.randomUUID does not. */
export function newClientId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
