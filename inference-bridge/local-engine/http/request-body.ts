import type { IncomingMessage } from 'node:http'
import { formFault, HttpFault } from './faults.ts'

/** Far more than any context holds, and still parsed and tokenized in about a second at worst. */
export const maxBodyBytes = 1024 * 1024
/** So much of a body that is too large is read and dropped, so that the client reads the answer instead of a reset. */
const maxDroppedBytes = 8 * maxBodyBytes

const utf8 = new TextDecoder('utf-8', { fatal: true })

/** Throws HttpFault; rejects with the socket's error when the client goes away. */
export async function readJson(request: IncomingMessage): Promise<unknown> {
  const tooLarge = new HttpFault(413, 'Request Entity Too Large', `The body is larger than ${maxBodyBytes} bytes.`)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxDroppedBytes) throw tooLarge
    if (bytes <= maxBodyBytes) chunks.push(chunk)
  }
  if (bytes > maxBodyBytes) throw tooLarge
  try {
    return JSON.parse(utf8.decode(Buffer.concat(chunks)))
  } catch {
    throw formFault('json_invalid', '', 'JSON decode error')
  }
}
